"""20,000 inputs at random; ``scripts/fuzz`` tries a million."""

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.components.gate_fuzz import check, make_input


@settings(
    max_examples=20_000,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, 2**64 - 1))
def test_no_input_costs_more_than_its_size_allows(seed):
    check(*make_input(seed))
