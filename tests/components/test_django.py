"""The book's section for Django, run as it stands in a small project."""

import os
import subprocess
import sys
from pathlib import Path

from tests.book import block
from tests.gateway import free_ports

SETTINGS = """
from pathlib import Path
SECRET_KEY = "test"
USE_TZ = True
ROOT_URLCONF = "project"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": Path(__file__).with_name("db.sqlite3"),
    "TEST": {"NAME": Path(__file__).with_name("test.sqlite3")},
}}

from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.urls import path


def order(request):
    from push import push_after_commit

    with transaction.atomic():
        push_after_commit(["v1.user.1"], type="order_paid", data={"id": 42}, id="order-42")
    return HttpResponse("paid")


def page(request):
    from push import page_position

    return JsonResponse({"since": page_position()})


urlpatterns = [path("order", order), path("page", page)]
"""
AWAY = """


class WithoutPublishServer(TransactionTestCase):
    def test_it_is_no_500(self):
        with self.assertLogs("django.db.backends.base", "ERROR") as logged:
            assert Client().get("/order").content == b"paid"
        assert "on_commit" in logged.output[0]
        assert "not confirmed by" in logged.output[0]
        assert Client().get("/page").json() == {"since": None}
"""


def test_the_books_django_project_passes_its_tests(tmp_path: Path) -> None:
    [nobody] = free_ports(1)
    (tmp_path / "project.py").write_text(SETTINGS)
    (tmp_path / "app.py").write_text(block("django app.py"))
    (tmp_path / "push.py").write_text(block("django push.py").replace("127.0.0.1:5557", f"127.0.0.1:{nobody}"))
    (tmp_path / "test_project.py").write_text(block("django test") + AWAY)
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "project", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "django", "test"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 2 tests" in done.stderr
