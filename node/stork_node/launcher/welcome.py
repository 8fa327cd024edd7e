"""The text of ``stork up`` when it is ready: the address of the page, and commands to paste."""

from urllib.parse import quote

from stork_node.application.summary import Summary
from stork_node.launcher.push_commands import PushCommands


def welcome(page_url: str, ticket: str, *, made_up: bool, application: Summary, commands: PushCommands) -> str:
    """
    Build the text.

    Args:
        page_url: the address of the page.
        ticket: STORK_TICKET. One that was made up goes into the address's fragment, which browsers do not send. A
            given one is not shown, because this text is part of the log in a container. An application that does not
            take it gets an address without one.
        made_up: whether the ticket was made up at this start.
        application: what the application declares; the command pushes to its first feed.
        commands: the commands for pushing.
    """
    lines = ["", "Stork node is ready."]
    trial = made_up and application.takes_shared_ticket
    if trial:
        lines.append("TRIAL: STORK_TICKET is not set, so the ticket below was made up, for this start only.")
    shown = quote(ticket, safe="") if trial else "$STORK_TICKET"
    lines += ["", f"  Page  {page_url}" + (f"#ticket={shown}" if application.takes_shared_ticket else "")]
    # Without a feed there is nothing to name, but backends that decide may allow any topic.
    topic = f"{application.feeds[0]}.1" if application.feeds else "VERSION.FEED.ID"
    lines += [f"  {label:<6}{line}" for label, line in commands.lines(topic).items()]
    if commands.in_container:
        lines += ["", "  The page's port is that of the container: -p may publish it at another one."]
    if commands.encrypted:
        lines += ["", "  Pushing needs STORK_BUS_SECRET, as it is set here."]
    return "\n".join([*lines, "", "Ctrl-C ends it.", ""])
