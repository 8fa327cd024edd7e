"""A Django project with its database, a node whose app.py is a part of it, and pages of two users in Chromium."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.book import block
from tests.gateway import Deployment, Process, free_ports, wait_for

SETTINGS = """
from pathlib import Path
SECRET_KEY = "test"
USE_TZ = True
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "site_urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).with_name("db.sqlite3"), "OPTIONS": {"timeout": 30},
}}
STORK = {"endpoint": "ENDPOINT"}
"""
URLS = """
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import include, path


def sign_in(request, name):
    user, _ = User.objects.get_or_create(username=name)
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    return HttpResponse("<!doctype html>in")


def sign_out(request):
    logout(request)
    return HttpResponse("out")


urlpatterns = [path("in/<name>", sign_in), path("out", sign_out), path("", include("views"))]
"""
OPEN = """
    async (url) => {
      const { since } = await (await fetch("/page")).json();
      window.got = []; window.states = [];
      window.client = Stork.connect({ url, ticket: "/stork/ticket" });
      const onstate = ({ state, reason }) => states.push([state, reason]);
      for (const id of ["1", "2"])
        client.subscribe(`v1.user.${id}`, (event) => got.push([event.type, event.data.id]), { since, onstate });
    }
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Deployment]]:
    folder: Path = tmp_path_factory.mktemp("django")
    [port] = free_ports(1)
    environ = {
        "DJANGO_SETTINGS_MODULE": "project",
        "STORK_ORIGINS": f"http://127.0.0.1:{port}",
        "PYTHONPATH": str(folder / "site"),
    }

    def in_project(config: dict[str, Any]) -> None:
        config["workers"][1]["options"]["pythonpath"] = [".", str(folder / "site")]

    site = folder / "site"
    site.mkdir()
    with Deployment(folder, app=block("django app.py"), change=in_project, environ=environ) as deployment:
        (site / "project.py").write_text(SETTINGS.replace("ENDPOINT", deployment.router))
        (site / "site_urls.py").write_text(URLS)
        (site / "views.py").write_text(block("django views.py"))
        deployment.start_publish_server()
        django = [sys.executable, "-m", "django"]
        subprocess.run([*django, "migrate", "-v0"], cwd=site, env=os.environ | environ, check=True)
        command = [*django, "runserver", "--noreload", f"127.0.0.1:{port}"]
        server = Process(command, folder / "django.log", {**os.environ, **environ, "PYTHONUNBUFFERED": "1"}, site)
        deployment.processes.append(server)
        server.wait_for_line("Quit the server")
        deployment.start_node()
        yield f"http://127.0.0.1:{port}", deployment


def open_page(browser: Browser, address: str, node: Any, user: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{address}/in/{user}")
    page.add_script_tag(url=f"{node.page_url}stork.js")
    page.evaluate(OPEN, node.url)
    # The verifier of app.py lets users see their own topic, and no other.
    wait_for(
        lambda: {each[0] for each in page.evaluate("states")} >= {"refused", "subscribed"},
        "an answer to both subscriptions",
    )
    assert ["refused", "denied"] in page.evaluate("states")
    return page


def test_pages_of_a_django_project_get_what_it_commits(browser: Browser, project: tuple[str, Deployment]) -> None:
    address, deployment = project
    [node] = deployment.nodes
    ann, bob = (open_page(browser, address, node, name) for name in ("ann", "bob"))
    for page, order in ((ann, 41), (bob, 42)):
        assert page.evaluate(f'fetch("/orders/{order}/pay").then((answer) => answer.text())') == "paid"
        wait_for(lambda page=page: page.evaluate("got"), "the order of the user")  # type: ignore[misc]  # bound now
    assert [page.evaluate("got") for page in (ann, bob)] == [[["order_paid", 41]], [["order_paid", 42]]]
    assert ann.evaluate('fetch("/out").then((answer) => answer.text())') == "out"
    assert ann.evaluate('fetch("/stork/ticket").then((answer) => answer.status)') == 403
    for page in (ann, bob):
        page.context.close()
