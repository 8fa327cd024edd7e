"""The topics of a pattern, by Crossbar's own look-up, as in the vectors."""

from tests.components.router_inside import UriObservationMap
from tests.vector_files import vectors


@vectors("topics", "coverage")
def test_a_pattern_brings_the_topics_that_it_covers(case):
    subscriptions = UriObservationMap()
    subscriptions.add_observer(object(), case["uri"], case["match"])
    topics = [*case["covers"], *case["leaves"]]
    assert [topic for topic in topics if subscriptions.match_observations(topic)] == case["covers"]
