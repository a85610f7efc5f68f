"""Train a model that reads digits. A script to be read from top to bottom, and to be changed all day."""

from pathlib import Path

import torch
from runyard import Run
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from src.config import TrainConfig
from src.data_processing.data_loader import CLASSES, load, split
from src.models.model import Model


def train(config: TrainConfig, run: Run) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"  # a run sees the one GPU that is its own
    torch.set_num_threads(1)  # on images this small, threads wait for each other longer than they compute
    torch.manual_seed(config.seed)  # the first weights; each epoch has its own seed below

    # ---- data ----
    images, labels = load(run.data or config.data.root)  # (n, 8, 8) in 0..1 and (n,) in 0..9
    data = split(images, labels, validation=config.data.validation, seed=config.data.split_seed)
    training = TensorDataset(torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels))
    val_x = torch.from_numpy(data.val_images).to(device)  # (n_val, 8, 8)
    val_y = torch.from_numpy(data.val_labels).to(device)  # (n_val,)
    batches = DataLoader(training, batch_size=config.batch_size, shuffle=True)

    # ---- model and optimizer: new, or where an interrupted attempt of this run has left off ----
    model = Model(config.model.channels, config.model.dropout).to(device)
    optim = config.optim
    if optim.kind == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=optim.lr, betas=(optim.beta1, 0.999))
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=optim.lr, momentum=optim.momentum)
    first_epoch = 0
    checkpoint = run.checkpoint_dir / "checkpoint.safetensors"
    if checkpoint.exists():
        first_epoch = load_checkpoint(checkpoint, model, optimizer, device) + 1

    # ---- training ----
    for epoch in run.progress(range(first_epoch, config.epochs)):
        torch.manual_seed(config.seed * 100_003 + epoch)  # so a resumed run shuffles as if it had never stopped
        model.train()
        total = 0.0
        for x, y in batches:  # (batch, 8, 8), (batch,)
            loss = cross_entropy(model(x.to(device)), y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)

        model.eval()
        with torch.inference_mode():
            logits = model(val_x)  # (n_val, 10)
        run.log(
            {
                "train/loss": total / len(training),
                "val/loss": cross_entropy(logits, val_y),
                "val/accuracy": (logits.argmax(dim=1) == val_y).float().mean(),
            },
            step=epoch,
        )
        if (epoch + 1) % config.checkpoint_every == 0:
            save_checkpoint(checkpoint, model, optimizer, epoch)

    # ---- results ----
    model.eval()
    with torch.inference_mode():
        predicted = model(val_x).argmax(dim=1)  # (n_val,)
    run.log_confusion_matrix(
        "val/confusion", targets=val_y.cpu().numpy(), predictions=predicted.cpu().numpy(), labels=range(CLASSES)
    )
    run.save_model(model, meta={"model": config.model.to_dict()})  # what src/inference.py builds it from


def save_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> None:
    """Write the weights and the state of the optimizer, as tensors: there is no pickle in it."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    unfinished = path.with_suffix(".unfinished")
    save_file(tensors, unfinished, metadata={"epoch": str(epoch)})
    unfinished.replace(path)  # at once: a checkpoint is there as a whole or not at all


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, device: str) -> int:
    """Put a checkpoint back into the model and the optimizer; return the epoch that it was written after."""
    weights: dict[str, torch.Tensor] = {}
    states: dict[int, dict[str, torch.Tensor]] = {}
    with safe_open(path, framework="pt", device=device) as file:
        for key in file.keys():  # noqa: SIM118 (not a dict)
            kind, _, name = key.partition(".")
            if kind == "model":
                weights[name] = file.get_tensor(key)
            else:
                index, _, name = name.partition(".")
                states.setdefault(int(index), {})[name] = file.get_tensor(key)
        epoch = int(file.metadata()["epoch"])
    model.load_state_dict(weights)
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    return epoch
