"""Cut any module where its first dropout layer sits, by tracing what depends on it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from torch import Tensor, fx, nn

from napari_active_seg.learning.dropout_layers import find_dropout

__all__ = ["Cut", "cut_at_first_dropout"]

_log = logging.getLogger(__name__)

Cut = tuple[Callable[[Tensor], tuple[Tensor, ...]], Callable[..., Tensor]]


def cut_at_first_dropout(module: nn.Module) -> Cut | None:
    """Return what comes before any dropout of ``module`` and what depends on it.

    The two parts share the module's parameters: ``after(*before(images))`` is its output. None if
    there is nothing before, or where the forward cannot be traced (it branches on its input).
    """
    try:
        graph = fx.Tracer().trace(module)
    except Exception as error:  # noqa: BLE001 - any error of a stranger's forward under tracing
        _log.info("%s cannot be cut and runs whole in every pass: %s", type(module), error)
        return None
    drawn = _depending_on_dropout(module, graph)
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1 or not drawn:
        return None
    edge = [
        node
        for node in graph.nodes
        if node not in drawn
        and node.op != "output"
        and any(user in drawn for user in node.users)
        and node.op != "get_attr"
    ]
    if not edge or edge == inputs:
        return None
    before = _first_part(module, graph, drawn, edge)
    after = _second_part(module, graph, drawn, edge)
    return before, after


def _depending_on_dropout(module: nn.Module, graph: fx.Graph) -> set[fx.Node]:
    drawn: set[fx.Node] = set()
    for node in graph.nodes:
        is_dropout = node.op == "call_module" and any(
            layer.p > 0 for layer in find_dropout(module.get_submodule(str(node.target)))
        )
        if is_dropout or any(source in drawn for source in node.all_input_nodes):
            drawn.add(node)
    return drawn


def _first_part(
    module: nn.Module, graph: fx.Graph, drawn: set[fx.Node], edge: list[fx.Node]
) -> fx.GraphModule:
    part = fx.Graph()
    known: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node not in drawn and node.op != "output":
            known[node] = part.node_copy(node, known.__getitem__)
    part.output(tuple(known[node] for node in edge))
    return _tidy(fx.GraphModule(module, part))


def _second_part(
    module: nn.Module, graph: fx.Graph, drawn: set[fx.Node], edge: list[fx.Node]
) -> fx.GraphModule:
    part = fx.Graph()
    known = {node: part.placeholder(f"edge_{i}") for i, node in enumerate(edge)}
    for node in graph.nodes:
        if node in drawn or node.op in ("get_attr", "output"):
            copied = part.node_copy(node, known.__getitem__)
            if node.op != "output":
                known[node] = copied
    return _tidy(fx.GraphModule(module, part))


def _tidy(part: fx.GraphModule) -> fx.GraphModule:
    """Take out what nothing depends on, and the modules that only it used."""
    part.graph.eliminate_dead_code()
    part.delete_all_unused_submodules()
    part.recompile()
    return part
