"""Guesses at what was meant: near keys, near last parts, and words that mean the same."""

from collections.abc import Iterable
from difflib import get_close_matches

_SYNONYMS = (
    {"lr", "learning_rate", "learningrate", "eta", "alpha"},
    {"bs", "batch_size", "batch", "batchsize"},
    {"wd", "weight_decay", "l2", "decay"},
    {"epochs", "n_epochs", "num_epochs", "max_epochs", "iterations"},
    {"steps", "n_steps", "num_steps", "max_steps"},
    {"seed", "random_seed", "random_state", "rng"},
    {"optim", "optimizer", "optimiser", "opt"},
    {"kind", "type", "name", "method"},
    {"num_workers", "workers", "n_workers", "n_jobs"},
    {"hidden", "width", "hidden_size", "hidden_dim", "units", "n_hidden", "layers"},
    {"depth", "n_layers", "num_layers", "layers"},
    {"dropout", "drop", "p_drop", "drop_rate", "dropout_rate"},
    {"heads", "n_heads", "num_heads"},
    {"root", "path", "dir", "folder", "data_dir", "data_root"},
    {"size", "image_size", "img_size", "resolution"},
    {"warmup", "warmup_steps", "n_warmup"},
    {"beta1", "b1"},
    {"beta2", "b2"},
    {"momentum", "mu"},
    {"clip", "grad_clip", "clip_norm", "max_norm"},
    {"device", "gpu"},
)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Give `. Did you mean 'x'?`, or nothing when no candidate is near."""
    near = get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return f". Did you mean '{near[0]}'?" if near else ""


def nearest_keys(key: str, keys: list[str]) -> list[str]:
    """Give at most three keys that may have been meant: by last part, by synonym, by letters."""
    same_end = [known for known in keys if known.endswith(f".{key}") or _last(known) == _last(key)]
    if same_end:
        return _closest_first(key, same_end)
    alike = [known for known in keys if _last(known) in _same_meaning(_last(key))]
    if alike:
        return _closest_first(key, alike)
    near = get_close_matches(key, keys, n=1, cutoff=0.75)
    if near:
        return near
    ends = get_close_matches(_last(key), [_last(known) for known in keys], n=1, cutoff=0.7)
    return _closest_first(key, [known for known in keys if _last(known) in ends])


def unknown_key(key: str, keys: list[str], blocks: Iterable[str] = ()) -> str:
    """Write the message for a key that the project does not declare."""
    counted = f"({len(keys)} keys; `run.py config keys` lists them)"
    guesses = nearest_keys(key, keys)
    if guesses:
        return f"unknown key '{key}'. Did you mean {' or '.join(repr(guess) for guess in guesses)}? {counted}"
    parent = next((block for block in sorted(blocks, key=len, reverse=True) if key.startswith(f"{block}.")), "")
    prefix = f"{parent}." if parent else ""
    below = list(dict.fromkeys(known[len(prefix) :].split(".")[0] for known in keys if known.startswith(prefix)))
    owner = f"The keys of '{parent}' are" if parent else "The first parts of the keys are"
    return f"unknown key '{key}'. {owner} {', '.join(below[:12])}{', …' if len(below) > 12 else ''}. {counted}"


def _last(key: str) -> str:
    return key.rsplit(".", 1)[-1]


def _same_meaning(word: str) -> set[str]:
    return set().union(*(group for group in _SYNONYMS if word.lower() in group)) - {word}


def _closest_first(key: str, found: list[str]) -> list[str]:
    """Keep those below the same parent if there are any, then the nearest by letters."""
    parent = key.rpartition(".")[0]
    siblings = [known for known in found if parent and known.rpartition(".")[0] == parent]
    chosen = siblings or found
    return sorted(chosen, key=lambda known: -_likeness(key, known))[:3] if len(chosen) > 1 else chosen


def _likeness(one: str, other: str) -> float:
    return len(set(one) & set(other)) / len(set(one) | set(other))
