"""Published weights: found, verified, carried to a machine without a network, and refused where they are damaged."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from zsadbench.clip import weights as located
from zsadbench.errors import UsageError, WeightsError
from zsadbench.upkeep.weights import copy_to, find, find_used, parse_name, verify, verify_file

CONTENT = b"not really weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """The cache with a file in the place of OpenAI's ViT-B-32, whose published SHA-256 is that of this file."""
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    monkeypatch.setitem(located.OPENAI_FILES, "ViT-B-32", (SHA256, "ViT-B-32.pt"))
    (folder / "ViT-B-32.pt").write_bytes(CONTENT)
    return folder


@pytest.fixture
def hub(tmp_path):
    """`hub(repository, name)` puts a file into the hub's cache, as the hub does: a link to a file named by its hash."""
    folder = tmp_path / "cache" / "weights"

    def put(repository, name, content=CONTENT):
        top = folder / f"models--{repository.replace('/', '--')}"
        for part in ("blobs", "refs", "snapshots/1"):
            (top / part).mkdir(parents=True, exist_ok=True)
        (top / "refs" / "main").write_text("1")
        (top / "blobs" / SHA256).write_bytes(content)
        (top / "snapshots/1" / name).symlink_to(top / "blobs" / SHA256)
        return folder

    return put


def test_names():
    assert parse_name("ViT-L-14-336") == ("ViT-L-14-336", "openai")
    assert parse_name("ViT-B-16:laion400m_e31") == ("ViT-B-16", "laion400m_e31")
    assert parse_name("vit_small_patch14_dinov2") == ("vit_small_patch14_dinov2", "lvd142m")
    with pytest.raises(UsageError, match="no backbone named"):
        parse_name("ViT-X")
    with pytest.raises(UsageError, match="which weights"):
        parse_name("ViT-B-16-plus-240")
    with pytest.raises(UsageError, match="no published weights"):
        find("ViT-B-32:random")


def test_what_openai_published_is_found_and_verified(cached):
    found = find("ViT-B-32")
    assert found.weights.path == cached / "ViT-B-32.pt"
    assert (verify(found).verdict, verify(found).sha256) == ("published", SHA256)
    (cached / "ViT-B-32.pt").write_bytes(b"cut")
    with pytest.raises(WeightsError, match="is not what OpenAI published"):
        find("ViT-B-32")


def test_what_is_missing_is_listed_with_the_way_to_get_it(cached):
    rows = {row.name: row for row in find_used()}
    assert rows["ViT-B-32:openai"].weights is not None
    assert "openaipublic" in rows["ViT-L-14-336:openai"].missing
    assert any("resnet50-0676ba61.pth" in row.missing for row in rows.values()), "the further network of mfpclip"


def test_weights_of_the_hub_are_verified_by_the_name_of_their_blob(hub):
    folder = hub("timm/vit_small_patch14_dinov2.lvd142m", "model.safetensors")
    found = find("vit_small_patch14_dinov2")
    assert (verify(found).verdict, verify(found).against) == ("published", "the Hugging Face hub")
    next(folder.glob("models--*/blobs/*")).write_bytes(b"cut")
    assert verify(find("vit_small_patch14_dinov2")).verdict == "damaged"


@pytest.mark.parametrize(
    ("name", "repository", "file", "carried"),
    [
        (
            "vit_small_patch14_dinov2:lvd142m",
            "timm/vit_small_patch14_dinov2.lvd142m",
            "model.safetensors",
            "vit_small_patch14_dinov2.lvd142m.safetensors",
        ),
        (
            "ViT-L-14:laion2b_s32b_b82k",
            "laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
            "open_clip_model.safetensors",
            "ViT-L-14.laion2b_s32b_b82k.safetensors",
        ),
    ],
)
def test_weights_are_carried_into_the_cache_of_another_machine(
    hub, tmp_path, monkeypatch, name, repository, file, carried
):
    hub(repository, file)
    target = copy_to(tmp_path / "carry", find(name))
    assert target.name == carried
    assert verify_file(target).verdict == "published"
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "other"))
    with pytest.raises(WeightsError):
        find(name)
    (tmp_path / "other").mkdir()
    (tmp_path / "carry").rename(tmp_path / "other" / "weights")
    found = find(name)
    assert found.weights.sha256 == SHA256
    assert (verify(found).verdict, verify(found).against) == ("published", "SHA256SUMS beside it")
    (tmp_path / "other" / "weights" / carried).write_bytes(b"cut on the way")
    assert verify(find(name)).verdict == "damaged"


def test_a_release_that_was_downloaded_by_its_address_is_found_offline(tmp_path):
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    file = folder / "vit_b_16_plus_240-laion400m_e31-8fb26589.pt"
    file.write_bytes(CONTENT)
    found = find("ViT-B-16-plus-240:laion400m_e31")
    assert found.weights.path == file
    assert (verify(found).verdict, verify(found).against) == ("damaged", "the name of the release")


def test_the_verbs_say_it(cli, cached, tmp_path):
    told = cli("weights", "path", "ViT-B-32")
    assert (told.code, told.out.strip()) == (0, str(cached / "ViT-B-32.pt"))
    rows = [json.loads(line) for line in cli("weights", "list", "--json").out.splitlines()]
    assert [row["backbone"] for row in rows if row["found"]] == ["ViT-B-32"]
    told = cli("weights", "fetch", "ViT-B-32", "--out", tmp_path / "carry")
    assert (told.code, told.out.strip()) == (0, str(tmp_path / "carry" / "ViT-B-32.pt"))
    assert (tmp_path / "carry" / "SHA256SUMS").read_text() == f"{SHA256}  ViT-B-32.pt\n"
    assert cli("weights", "verify").code == 0
    assert cli("weights", "verify", tmp_path / "carry" / "ViT-B-32.pt").code == 0
    (tmp_path / "carry" / "ViT-B-32.pt").write_bytes(b"cut")
    told = cli("weights", "verify", tmp_path / "carry" / "ViT-B-32.pt")
    assert told.code == 4
    assert "damaged" in told.error


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("path", "ViT-L-14-336"), 4, "no weights 'openai' for backbone 'ViT-L-14-336'"),
        (("path", "ViT-L-14-33"), 2, "no backbone named 'ViT-L-14-33'"),
        (("path", "ViT-L-14:openia"), 2, "did you mean 'openai'?"),
        (("path",), 2, "Missing argument"),
        (("fetch", "ViT-L-14:random"), 2, "no published weights"),
        (("fetch", "ViT-L-14", "--out", "taken/x"), 2, "cannot be written"),
        (("verify", "nowhere.pt"), 4, "is no file"),
        (("verify", "./taken"), 4, "damaged (a text that begins with"),
    ],
)
def test_bad_input(cli, tmp_path, arguments, code, said):
    (tmp_path / "taken").write_text("not a folder")
    told = cli("weights", *arguments)
    assert told.code == code, told.err
    assert said in told.error


@pytest.fixture
def server(tmp_path, monkeypatch):
    """`server(content, told)`: ViT-B-32 is published at an address of this machine, which gives `content`.

    `told` is the length that the server announces.
    """
    answer = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer["code"])
            self.send_header("Content-Length", str(answer["told"]))
            self.end_headers()
            self.wfile.write(answer["content"])

        def log_message(self, *_):
            pass

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=found.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{found.server_port}/openaipublic/{SHA256}/ViT-B-32.pt"
    monkeypatch.setattr("open_clip.pretrained.get_pretrained_cfg", lambda *_: {"url": url})
    monkeypatch.setitem(located.OPENAI_FILES, "ViT-B-32", (SHA256, "ViT-B-32.pt"))

    def publish(content, told=None, code=200):
        answer.update(content=content, told=told or len(content), code=code)

    yield publish
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # open_clip leaves the file open
def test_weights_are_fetched_from_their_address(cli, server, tmp_path):
    server(CONTENT)
    told = cli("weights", "fetch", "ViT-B-32")
    path = tmp_path / "cache" / "weights" / "ViT-B-32.pt"
    assert (told.code, told.out.strip()) == (0, str(path))
    assert path.read_bytes() == CONTENT
    server(b"another file, which is not asked for again")
    assert cli("weights", "fetch", "ViT-B-32").code == 0
    assert [one.name for one in path.parent.iterdir() if not one.name.endswith(".lock")] == [path.name]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # open_clip leaves the file open
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"content": CONTENT[:5], "told": len(CONTENT)}, "checksum"),
        ({"content": b"a page that asks for a login"}, "checksum"),
        ({"content": b"", "code": 404}, "404"),
    ],
)
def test_a_file_that_arrives_damaged_is_not_kept(cli, server, tmp_path, answer, said):
    server(**answer)
    told = cli("weights", "fetch", "ViT-B-32")
    assert told.code == 4
    assert said in told.err
    folder = tmp_path / "cache" / "weights"
    assert not [one for one in folder.iterdir() if not one.name.endswith(".lock")]
    server(CONTENT)
    assert cli("weights", "fetch", "ViT-B-32").code == 0


def test_a_download_that_fails_says_how_to_get_the_file(cli, monkeypatch):
    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("open_clip.pretrained.download_pretrained", fail)
    told = cli("weights", "fetch", "ViT-L-14-336")
    assert told.code == 4
    assert "the download failed (no route to host)" in told.err
    assert "openaipublic" in told.err
