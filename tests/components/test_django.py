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
ROOT_URLCONF = "views"
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
STORK = {"endpoint": "tcp://127.0.0.1:NOBODY", "timeout_ms": 300}
"""
MORE = """

from django.db import transaction
from stork_node.django import push_on_commit
from stork_node.testing import Expired
from stork_node.django import tickets as tickets_module


class WithoutPublishServer(TransactionTestCase):
    def test_it_is_no_500(self):
        with self.assertLogs("django.db.backends.base", "ERROR") as logged:
            assert Client().get("/orders/42/pay").content == b"paid"
        assert "on_commit" in logged.output[0]
        assert "not confirmed by" in logged.output[0]
        assert Client().get("/page").json() == {"since": None}


class Tickets(TransactionTestCase):
    def setUp(self):
        self.ann = User.objects.create_user("ann", password="secret")
        self.browser = Client()

    def ticket(self):
        answer = self.browser.get("/stork/ticket")
        assert answer["Cache-Control"] == "no-store"
        return answer

    def test_nobody_else_gets_one(self):
        assert self.ticket().status_code == 403
        self.browser.force_login(self.ann)
        assert self.ticket().status_code == 200
        User.objects.filter(pk=self.ann.pk).update(is_active=False)
        assert self.ticket().status_code == 403

    def test_it_ends_with_the_password_the_user_and_the_minute(self):
        self.browser.force_login(self.ann)
        ticket = self.ticket().content.decode()
        with AppTester(stork) as tester:
            tester.join(ticket).subscribe(f"v1.user.{self.ann.pk}")
            for wrong in (ticket[:-1] + ("A" if ticket[-1] != "A" else "B"), "", "a:b:c", signed_by_another()):
                with self.assertRaises(Denied):
                    tester.join(wrong)
            tickets_module.MAX_AGE_S = -1
            with self.assertRaises(Expired):
                tester.join(ticket)
            tickets_module.MAX_AGE_S = 60
            User.objects.filter(pk=self.ann.pk).update(is_active=False)
            with self.assertRaises(Denied):
                tester.join(ticket)
            User.objects.filter(pk=self.ann.pk).update(is_active=True, password="another")
            with self.assertRaises(Denied):
                tester.join(ticket)
            with self.assertRaises(Denied):
                tester.join(cookies=self.browser.cookies)


def signed_by_another():
    from django.core import signing

    return signing.dumps(["1", "x"], salt="another")


class Async(TransactionTestCase):
    async def test_an_async_view_pushes_and_is_told_of_failures(self):
        from stork_node import NotConfirmed
        from stork_node.django import apage_position, apush
        from stork_node.django.pushes import Pushing
        from stork_node.application.push_recorder import PushRecorder

        with self.assertRaises(NotConfirmed):
            await apush("v1.a.1", type="lost")
        assert await apage_position() is None
        pushes = []
        Pushing.publisher = PushRecorder(pushes)
        try:
            await apush("v1.a.1", type="kept", data=1, id="7")
        finally:
            Pushing.publisher = None
        assert [(push.type, push.data) for push in pushes] == [("kept", 1)]


class Commits(TransactionTestCase):
    def test_what_is_rolled_back_is_not_pushed(self):
        with captured_pushes() as pushes:
            with transaction.atomic():
                push_on_commit("v1.a.1", type="kept", data=1, store=False)
            try:
                with transaction.atomic():
                    push_on_commit("v1.a.1", type="lost")
                    raise KeyError
            except KeyError:
                pass
            push_on_commit("v1.a.1", type="at_once")
        assert [push.type for push in pushes] == ["kept", "at_once"]
        assert pushes[0].store is False
"""


def test_the_books_django_project_passes_its_tests(tmp_path: Path) -> None:
    [nobody] = free_ports(1)
    (tmp_path / "project.py").write_text(SETTINGS.replace("NOBODY", str(nobody)))
    (tmp_path / "app.py").write_text(block("django app.py"))
    (tmp_path / "views.py").write_text(block("django views.py"))
    (tmp_path / "test_project.py").write_text(block("django test") + MORE)
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "project", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "django", "test"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 7 tests" in done.stderr
