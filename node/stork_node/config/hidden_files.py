"""Files of the page's folder that nobody gets, as their names are paths of the public port."""

from collections.abc import Iterator
from pathlib import Path

from stork_node.config.configuration import Configuration


def hidden_files(config: Configuration) -> Iterator[str]:
    """One sentence for each of them."""
    for worker in config.crossbar.get("workers", []):
        for transport in worker.get("transports", []):
            services = transport.get("paths", {})
            folder = services.get("/", {}).get("extra", {}).get("directory")
            for name, service in services.items():
                if name != "/" and isinstance(folder, str) and (Path(folder) / name).exists():
                    owner = service.get("classname") or f"a service of the type {service.get('type')}"
                    yield f"{Path(folder) / name} is not served: the path /{name} belongs to {owner}"
