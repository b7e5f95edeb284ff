"""LearnedOptimizer as an optimizer of PyTorch: groups, state, gradients that are missing, devices, dtypes."""
import copy
import io
import unittest
from unittest import mock

import torch
from torch import nn

from metaopt import Checkpoint, LearnedOptimizer, layers
from tests.test_agreement import CASES, GOLDENS

RULES_IN_PIECES = ("lstm", "rnnprop")


def network(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3)).to(dtype)


def train(model, optimizer, steps, seed=1):
    random = torch.Generator().manual_seed(seed)
    losses = []
    for _ in range(steps):
        x = torch.randn(16, 1, 4, 4, generator=random).to(next(model.parameters()).dtype)
        loss = nn.functional.cross_entropy(model(x), (x.sum((1, 2, 3)) > 0).long())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def theta(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()]).clone()


class OptimizerTests(unittest.TestCase):
    def of(self, name, params, **options):
        return LearnedOptimizer(params, GOLDENS / f"{name}.safetensors", **options)

    def test_it_trains_in_the_place_of_adam(self):
        model = network()
        losses = train(model, self.of("learnable-adam", model.parameters(), lr=10), 150)
        self.assertLess(sum(losses[-20:]), 0.7 * sum(losses[:20]))

    def test_learnable_adam_is_torchs_adam(self):
        ours, theirs = network(), network()
        optimizer = self.of("learnable-adam", ours.parameters())
        phi = {name: float(values.data[0]) for name, values in optimizer.checkpoint.tensors.items()}
        sigmoid = lambda x: float(torch.sigmoid(torch.tensor(x, dtype=torch.float64)))  # noqa: E731
        adam = torch.optim.Adam(
            theirs.parameters(), lr=float(torch.tensor(phi["logLearningRate"]).exp()),
            betas=(sigmoid(phi["logitBeta1"]), sigmoid(phi["logitBeta2"])), eps=float(torch.tensor(phi["logEpsilon"]).exp()))
        train(ours, optimizer, 30)
        train(theirs, adam, 30)
        torch.testing.assert_close(theta(ours), theta(theirs), rtol=1e-4, atol=1e-6)

    def test_state_saved_and_loaded_continues_with_the_same_bits(self):
        for name in CASES:
            with self.subTest(name):
                model = network()
                optimizer = self.of(name, model.parameters())
                train(model, optimizer, 4)
                file = io.BytesIO()
                torch.save(optimizer.state_dict(), file)
                file.seek(0)
                other = copy.deepcopy(model)
                resumed = self.of(name, other.parameters())
                train(other, resumed, 1)  # a state that must be replaced
                other.load_state_dict(model.state_dict())
                resumed.load_state_dict(torch.load(file))
                train(model, optimizer, 4, seed=2)
                train(other, resumed, 4, seed=2)
                self.assertTrue(torch.equal(theta(model), theta(other)))

    def test_a_copy_continues_with_the_same_bits(self):
        model = network()
        optimizer = self.of("hierarchical-rnn", model.parameters())
        train(model, optimizer, 3)
        other, continued = copy.deepcopy((model, optimizer))
        train(model, optimizer, 3, seed=2)
        train(other, continued, 3, seed=2)
        self.assertTrue(torch.equal(theta(model), theta(other)))

    def test_state_of_half_precision_stays_float32(self):
        model = network(dtype=torch.bfloat16)
        optimizer = self.of("rnnprop", model.parameters())
        train(model, optimizer, 2)
        resumed = self.of("rnnprop", model.parameters())
        resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for param in model.parameters():
            self.assertEqual(resumed.state[param]["coordinates"].dtype, torch.float32)
            self.assertTrue(torch.equal(resumed.state[param]["coordinates"], optimizer.state[param]["coordinates"]))

    def test_state_of_another_checkpoint_is_refused(self):
        model = network()
        optimizer = self.of("rnnprop", model.parameters())
        train(model, optimizer, 1)
        with self.assertRaisesRegex(ValueError, "another checkpoint"):
            self.of("lstm", model.parameters()).load_state_dict(optimizer.state_dict())

    def test_a_parameter_without_gradient_keeps_value_and_state(self):
        for name in CASES:
            with self.subTest(name):
                torch.manual_seed(0)
                a, b = nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(4))
                optimizer = self.of(name, [a, b])
                for step in range(4):
                    a.grad, b.grad = torch.randn(3, 2), torch.randn(4)
                    if step == 2:
                        b.grad = None
                        before = b.detach().clone(), {key: value.clone() for key, value in optimizer.state[b].items()}
                    old = a.detach().clone()
                    optimizer.step()
                    self.assertFalse(torch.equal(a, old))
                    if step == 2:
                        self.assertTrue(torch.equal(b, before[0]))
                        for key, value in before[1].items():
                            self.assertTrue(torch.equal(optimizer.state[b][key], value))

    def test_a_step_without_a_gradient_writes_only_its_own_part_of_the_memory(self):
        torch.manual_seed(0)
        params = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2))]
        optimizer = self.of("ntm-bfgs", params)
        for param in params:
            param.grad = torch.randn(len(param))
        optimizer.step()
        memory = optimizer.state["instance.0.rest.torch.float32"]["values"].view(5, 5)
        before = memory.clone()
        self.assertTrue((before != 0).all())
        params[1].grad = None
        optimizer.step()
        changed = memory != before
        self.assertTrue(changed[:3, :3].all())
        self.assertFalse(changed[3:].any() or changed[:, 3:].any())

    def test_rules_that_do_not_mix_see_a_missing_gradient_of_another_parameter_not_at_all(self):
        for name in ("lstm", "rnnprop", "adafactor-mlp", "learnable-adam", "learnable-sgd"):
            with self.subTest(name):
                a, alone, b = (nn.Parameter(torch.ones(3)) for _ in range(3))
                together, single = self.of(name, [b, a]), self.of(name, [alone])
                for step in range(4):
                    a.grad = torch.randn(3)
                    alone.grad, b.grad = a.grad.clone(), None if step % 2 else torch.ones(3)
                    together.step()
                    single.step()
                torch.testing.assert_close(a, alone)

    def test_a_group_is_an_instance(self):
        grads = [torch.randn(4), torch.randn(5)]
        for name in CASES:
            with self.subTest(name):
                params = [[nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(5))] for _ in range(2)]
                grouped = self.of(name, [{"params": [p]} for p in params[0]])
                separate = [self.of(name, [p]) for p in params[1]]
                for _ in range(3):
                    for p, q, g in zip(*params, grads):
                        p.grad, q.grad = g.clone(), g.clone()
                    grouped.step()
                    for optimizer in separate:
                        optimizer.step()
                for p, q in zip(*params):
                    torch.testing.assert_close(p, q)

    def test_lr_is_a_factor_and_takes_schedulers(self):
        whole, half = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
        optimizer = self.of("lstm", [{"params": [whole]}, {"params": [half], "lr": 0.5}])
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.0 if epoch else 1.0)
        whole.grad = half.grad = torch.tensor([1.0, -2, 3])
        optimizer.step()
        torch.testing.assert_close(half, 0.5 * whole)
        scheduler.step()
        before = whole.detach().clone()
        optimizer.step()
        self.assertTrue(torch.equal(whole, before))

    def test_outputs_first_is_the_transpose(self):
        first, last = nn.Parameter(torch.randn(4, 3)), None
        last = nn.Parameter(first.detach().t().contiguous())
        optimizers = self.of("adafactor-mlp", [first]), self.of("adafactor-mlp", [last], output_first=False)
        for _ in range(3):
            first.grad = torch.randn(4, 3)
            last.grad = first.grad.t().contiguous()
            for optimizer in optimizers:
                optimizer.step()
        torch.testing.assert_close(first.t(), last, rtol=0, atol=1e-8)
        wrong = nn.Parameter(last.detach().clone())
        wrong.grad = last.grad
        before = wrong.detach().clone()
        self.of("adafactor-mlp", [wrong]).step()
        self.assertFalse(torch.equal(wrong, before))

    def test_convolutions_have_their_network(self):
        filters, named = nn.Parameter(torch.ones(2, 1, 2, 2)), nn.Parameter(torch.ones(2, 1, 2, 2))
        rest = nn.Parameter(torch.ones(2, 1, 2, 2))
        optimizer = self.of("per-group", [
            {"params": [filters]}, {"params": [named], "part": "convolution"}, {"params": [rest], "part": "rest"},
        ])
        for param in (filters, named, rest):
            param.grad = torch.arange(8.0).view(2, 1, 2, 2)
        optimizer.step()
        self.assertTrue(torch.equal(filters, named))
        self.assertFalse(torch.equal(filters, rest))

    def test_pieces_of_coordinates_make_the_same_updates(self):
        for name in RULES_IN_PIECES:
            with self.subTest(name):
                results = []
                for most in (1 << 17, 7):
                    with mock.patch.object(layers, "MOST_AT_ONCE", most):
                        model = network()
                        train(model, self.of(name, model.parameters()), 3)
                        results.append(theta(model))
                torch.testing.assert_close(*results)

    def test_nothing_keeps_a_graph(self):
        model = network()
        optimizer = self.of("hierarchical-rnn", model.parameters())
        train(model, optimizer, 2)
        for param in model.parameters():
            self.assertTrue(param.is_leaf and param.requires_grad)
            for value in optimizer.state[param].values():
                self.assertFalse(value.requires_grad)

    def test_closure_and_double_precision(self):
        param = nn.Parameter(torch.ones(3, dtype=torch.float64))
        optimizer = self.of("lstm", [param])

        def closure():
            optimizer.zero_grad()
            loss = param.square().sum()
            loss.backward()
            return loss

        self.assertEqual(optimizer.step(closure).item(), 3)
        self.assertEqual(optimizer.state[param]["coordinates"].dtype, torch.float64)

    def test_wrong_use_is_refused(self):
        param = nn.Parameter(torch.ones(3))
        with self.assertRaisesRegex(ValueError, "no network"):
            self.of("lstm", [param], part="convolution")
        with self.assertRaisesRegex(ValueError, "at least 0"):
            self.of("lstm", [param], lr=-1)
        with self.assertRaisesRegex(TypeError, "real"):
            self.of("lstm", [nn.Parameter(torch.ones(3, dtype=torch.complex64))])
        with self.assertRaisesRegex(ValueError, "at most 100"):
            big = nn.Parameter(torch.ones(101))
            big.grad = torch.ones(101)
            self.of("ntm-bfgs", [big]).step()
        with self.assertRaisesRegex(ValueError, "mixes"):
            two = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3, dtype=torch.float64))]
            for p in two:
                p.grad = torch.ones_like(p)
            self.of("lstm-gac", two).step()
        with self.assertRaisesRegex(RuntimeError, "sparse"):
            table = nn.Embedding(4, 2, sparse=True)
            table(torch.tensor([1])).sum().backward()
            self.of("lstm", table.parameters()).step()

    def test_options_of_a_checkpoint_are_checked(self):
        whole = Checkpoint.load(GOLDENS / "lstm.safetensors")
        for options in ({"layers": [20, 5]}, {"layers": "x"}, {"layers": [10**9]}, {"forgetGates": False}):
            with self.subTest(options), self.assertRaises(ValueError):
                other = Checkpoint(whole.rule, {**whole.options, **options}, whole.spec, whole.tensors, whole.sha256)
                LearnedOptimizer([nn.Parameter(torch.ones(3))], other)
        with self.assertRaisesRegex(ValueError, "not known"):
            LearnedOptimizer([nn.Parameter(torch.ones(3))], Checkpoint("velo2", whole.options, whole.spec, whole.tensors, ""))


if __name__ == "__main__":
    unittest.main()
