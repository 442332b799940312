"""The production set-up as far as it can be checked without containers: it parses, it fits together, it is complete."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped] # its stubs are not worth a dependency

from aperiodic.lake import Settings
from aperiodic.lake.buckets import S3Url
from aperiodic.lake.settings import HubSettings
from aperiodic.server.settings import ServerSettings

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "deploy"
UNITS: Final = sorted((DEPLOY / "systemd").iterdir())
PAGE: Final = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
OURS: Final = {f"APERIODIC_{name.upper()}" for name in ServerSettings.model_fields}


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def example(*, optional: bool = False) -> dict[str, str]:
    """The variables of the example environment; with `optional`, those that are commented out as well."""
    lines = (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"(?:# )?([A-Z_]+)=(.*)", line) for line in lines if optional or not line.startswith("#")]
    return {match[1]: match[2] for match in found if match is not None}


def settings_table() -> str:
    """The table of the page, from the fields and the docstrings of the settings."""
    words = f"{Settings.__doc__}\n{HubSettings.__doc__}\n{ServerSettings.__doc__}"
    described = dict(re.findall(r"^        (\w+): (.+)$", words, re.MULTILINE))
    rows = []
    for name, field in ServerSettings.model_fields.items():
        plain = isinstance(field.default, str | int | Path) and field.default != ""
        default = json.dumps(field.default, default=str).strip('"') if plain else ""
        rows.append(f"| `APERIODIC_{name.upper()}` | {f'`{default}`' if default else '-'} | {described[name]} |")
    return "\n".join(rows)


def test_the_page_describes_every_setting_in_the_words_of_the_program() -> None:
    table = PAGE.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    assert table == settings_table()


def test_every_setting_that_is_named_exists() -> None:
    texts = [*DEPLOY.iterdir(), *UNITS, *(DEPLOY / "kubernetes").iterdir()]
    named = {
        name for path in texts if path.is_file() for name in re.findall(r"\bAPERIODIC_[A-Z_]+\b", path.read_text())
    }
    named |= set(re.findall(r"\bAPERIODIC_[A-Z_]+\b", PAGE))
    assert named - OURS == {"APERIODIC_DEBUG"}  # read by the commands, before there are settings
    assert {"APERIODIC_SECRET", "APERIODIC_LEDGER", "APERIODIC_STORE", "APERIODIC_TRUSTED_PROXIES"} <= named


def test_the_example_environment_is_valid_once_the_secrets_are_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in example(optional=True).items():
        if name in OURS:
            monkeypatch.setenv(name, value.replace("RANDOM-SECRET", "0" * 64))
    settings = ServerSettings()
    assert (settings.trusted_proxies, settings.log_format) == (1, "json")
    bucket = S3Url.parse(settings.store_url)
    assert bucket.public_endpoint == f"https://{example()['FILE_HOSTS']}"
    assert settings.public_url == f"https://{example()['API_HOST']}"
    assert example()["POSTGRES_PASSWORD"] in settings.ledger_url
    assert example()["AWS_SECRET_ACCESS_KEY"] == example()["ROOT_SECRET_ACCESS_KEY"]


def test_everything_that_a_container_reads_from_the_environment_is_in_the_example() -> None:
    caddyfile = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    services = compose()["services"]
    given = {
        name: set(service.get("environment", ())) for name, service in services.items() if "env_file" not in service
    }
    assert set().union(*given.values()) <= example().keys()
    assert given["proxy"] == set(re.findall(r"\{\$(\w+)\}", caddyfile))
    for name in ("ledger", "bucket"):
        assert set(re.findall(r"\$\$([A-Z_]+)", json.dumps(services[name]))) <= given[name]


def test_services_lean_on_services_that_exist() -> None:
    services = compose()["services"]
    volumes = compose()["volumes"]
    assert {"api-1", "api-2", "ledger", "store", "proxy", "builder"} <= services.keys()
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        named = [mount.split(":")[0] for mount in service.get("volumes", ())]
        assert {name for name in named if not name.startswith("./")} <= volumes.keys()
        assert not {"image", "build"}.isdisjoint(service)
    hosts = set(re.findall(r"([\w-]+):\d+", (DEPLOY / "Caddyfile").read_text(encoding="utf-8")))
    assert hosts <= services.keys()
    assert compose()["services"]["ledger"]["volumes"] == ["ledger:/var/lib/postgresql/data"]


def test_only_the_proxy_can_be_reached_from_outside_and_no_secret_is_in_the_files_or_where_it_is_not_needed() -> None:
    services = compose()["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    ours = {name for name, service in services.items() if service.get("image") == "aperiodic"}
    assert {"api-1", "api-2", "build-1", "builder", "capture-1", "live-1", "normalise-1"} <= ours
    assert {name for name, service in services.items() if "env_file" in service} == ours
    assert not [name for service in services.values() for name in service.get("environment", ()) if "=" in name]
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "deploy/.env"], cwd=ROOT, capture_output=True, check=False
    )
    assert ignored.returncode == 0, "an operator's secrets must not be committed"


def test_caddy_blocks_are_closed() -> None:
    text = re.sub(r"#.*", "", (DEPLOY / "Caddyfile").read_text(encoding="utf-8"))
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    parsed = ConfigParser(interpolation=None)
    parsed.read(unit)
    assert {"Unit", "Timer" if unit.suffix == ".timer" else "Service"} <= set(parsed.sections())
    for path in UNITS:
        # What is not installed on this host must not count as a fault of the unit.
        text = path.read_text(encoding="utf-8").replace("/opt/aperiodic/bin/aperiodic", sys.executable)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    tool = shutil.which("systemd-analyze")
    if tool is not None:
        command = [tool, "verify", "--man=no", str(tmp_path / unit.name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_image_is_built_from_files_that_exist() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert "\nUSER aperiodic\n" in text
    assert "\nHEALTHCHECK " in text
    allowed = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in allowed


def test_the_lock_file_of_the_image_has_the_driver_that_its_ledger_needs() -> None:
    assert example()["APERIODIC_LEDGER"].startswith("postgresql+psycopg://")
    locked = (ROOT / "requirements" / "server.lock").read_text(encoding="utf-8")
    assert re.search(r"^psycopg==", locked, re.MULTILINE)


def copied_for_the_image(folder: Path) -> Path:
    """Copy what the image is built from, without what git ignores; return where the bundles belong."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in (ROOT / name for name in line.split()):
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "node_modules", "vendor")
                shutil.copytree(source, folder / source.name, ignore=ignored)
            else:
                shutil.copy(source, folder)
    return folder / "src/aperiodic/server/site/static/vendor"


def required_bundles() -> tuple[str, ...]:
    """What a wheel is not built without."""
    found = re.search(
        r"^BUNDLES = \((.*?)^\)", (ROOT / "hatch_build.py").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found is not None
    names = tuple(re.findall(r'"([^"]+)"', found[1]))
    assert {file.name for file in (ROOT / "web" / "vendor").iterdir()} <= {*names}
    return names


def build_wheel(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_wheel_of_the_image_has_all_that_the_program_reads(tmp_path: Path) -> None:
    assert "RUN python -m hatchling build --target wheel\n" in (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    vendor = copied_for_the_image(tmp_path)
    vendor.mkdir()
    bundles = [vendor / name for name in required_bundles()]
    for bundle in bundles:
        bundle.touch()  # what `npm run build` makes, and git ignores
    done = build_wheel(tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    source = ROOT / "src"
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "src"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    wanted = {str((ROOT / name).relative_to(source)) for name in tracked if (ROOT / name).exists()}
    with zipfile.ZipFile(wheel) as packed:
        assert wanted | {str(bundle.relative_to(tmp_path / "src")) for bundle in bundles} <= set(packed.namelist())


def test_no_wheel_is_built_without_the_libraries_of_the_site(tmp_path: Path) -> None:
    copied_for_the_image(tmp_path)
    done = build_wheel(tmp_path)
    assert done.returncode != 0
    assert "The site's libraries are not bundled" in done.stdout + done.stderr
    assert "make site" in done.stdout + done.stderr
    assert not list((tmp_path / "dist").glob("*.whl"))
