"""Writes rules.json: what each learned rule does with given gradients, in NumPy and float64, for RuleGoldenTests.

Run: /usr/bin/python3 rules.py   (Debian: python3-numpy). Every rule is written from its paper's formulas, one instance and one
coordinate after the other where that is clearer; nothing is shared with src/Domain. The test repeats the sizes.
"""
import json
import os

import numpy as np

STEPS = 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_and_sign(g, p):
    """Andrychowicz et al., 2016, appendix A."""
    return [np.log(abs(g)) / p, np.sign(g)] if abs(g) >= np.exp(-p) else [-1.0, np.exp(p) * g]


class Phi:
    """Takes tensors from a flat vector, in order."""

    def __init__(self, values):
        self.values, self.at = np.array(values), 0

    def take(self, *shape):
        count = int(np.prod(shape))
        self.at += count
        return self.values[self.at - count:self.at].reshape(shape)

    def lstm(self, inputs, layers, gates=4):
        result = []
        for units in layers:
            result.append((self.take(gates * units, inputs + units), self.take(gates * units)))
            inputs = units
        return result

    def gru(self, inputs, units):
        return [self.take(2 * units, inputs + units), self.take(2 * units), self.take(units, inputs + units), self.take(units)]

    def finish(self):
        assert self.at == len(self.values), (self.at, len(self.values))


def lstm_cell(weight, bias, x, cell, hidden, forget=True):
    """Gers et al., 2000: gates input, forget, candidate, output; without forget gates Hochreiter and Schmidhuber, 1997."""
    parts = np.split(weight @ np.concatenate([x, hidden]) + bias, 4 if forget else 3)
    if forget:
        i, f, c, o = parts
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(c)
    else:
        i, c, o = parts
        cell = cell + sigmoid(i) * np.tanh(c)
    return cell, sigmoid(o) * np.tanh(cell)


def lstm(phi, gradients, start, layers, p=10, scale=0.1, forget=True):
    phi, count = Phi(phi), len(start)
    cells = phi.lstm(2 if p else 1, layers, 4 if forget else 3)
    weight, bias = phi.take(layers[-1]), phi.take(1)[0]
    phi.finish()
    state = [[(np.zeros(n), np.zeros(n)) for n in layers] for _ in range(count)]
    theta, result = np.array(start), []
    for g in gradients:
        for k in range(count):
            x = np.array(log_and_sign(g[k], p) if p else [g[k]])
            for layer, (w, b) in enumerate(cells):
                state[k][layer] = lstm_cell(w, b, x, *state[k][layer], forget)
                x = state[k][layer][1]
            theta[k] += scale * (weight @ x + bias)
        result.append(theta.copy())
    return result


def averaged_layers(cells, state, xs, averaged):
    """One step of LSTM layers over the coordinates of one instance; the first units' outputs become their mean, and are fed back so."""
    for layer, (w, b) in enumerate(cells):
        for k in range(len(xs)):
            state[k][layer] = lstm_cell(w, b, xs[k], *state[k][layer])
        mean = np.mean([s[layer][1][:averaged] for s in state], axis=0)
        for k in range(len(xs)):
            hidden = np.concatenate([mean, state[k][layer][1][averaged:]])
            state[k][layer] = (state[k][layer][0], hidden)
        xs = [s[layer][1] for s in state]
    return xs


def lstm_gac(phi, gradients, start, batch, layers, averaged, p=10, scale=0.1):
    phi = Phi(phi)
    cells = phi.lstm(2, layers)
    weight, bias = phi.take(layers[-1]), phi.take(1)[0]
    phi.finish()
    size = len(start) // batch
    states = [[[(np.zeros(n), np.zeros(n)) for n in layers] for _ in range(size)] for _ in range(batch)]
    theta, result = np.array(start), []
    for g in gradients:
        for b in range(batch):
            xs = [np.array(log_and_sign(g[b * size + k], p)) for k in range(size)]
            xs = averaged_layers(cells, states[b], xs, averaged)
            for k in range(size):
                theta[b * size + k] += scale * (weight @ xs[k] + bias)
        result.append(theta.copy())
    return result


def ntm_bfgs(phi, gradients, start, batch, layers, averaged, p=10, scale=0.1):
    """Read i = M r first, then M += sum of a_h b_h' over three pairs; update scale (w h + bias + i)."""
    phi = Phi(phi)
    cells = phi.lstm(4, layers)
    heads, heads_bias = phi.take(7, layers[-1]), phi.take(7)
    weight, bias = phi.take(layers[-1]), phi.take(1)[0]
    phi.finish()
    size = len(start) // batch
    states = [[[(np.zeros(n), np.zeros(n)) for n in layers] for _ in range(size)] for _ in range(batch)]
    memory, read = np.zeros((batch, size, size)), np.zeros((batch, size))
    theta, result = np.array(start), []
    for g in gradients:
        for b in range(batch):
            xs = [np.array(log_and_sign(g[b * size + k], p) + log_and_sign(read[b, k], p)) for k in range(size)]
            xs = averaged_layers(cells, states[b], xs, averaged)
            emitted = np.array([heads @ x + heads_bias for x in xs])  # [size, 7]
            read[b] = memory[b] @ emitted[:, 0]
            for h in range(3):
                memory[b] += np.outer(emitted[:, 1 + 2 * h], emitted[:, 2 + 2 * h])
            for k in range(size):
                theta[b * size + k] += scale * (weight @ xs[k] + bias + read[b, k])
        result.append(theta.copy())
    return result


def rnnprop(phi, gradients, start, features, layers, beta1, beta2, scale):
    """Lv, Jiang and Li, 2017, section 4.2."""
    phi, count = Phi(phi), len(start)
    w_in, b_in = phi.take(features, 2), phi.take(features)
    cells = phi.lstm(features, layers)
    weight, bias = phi.take(layers[-1]), phi.take(1)[0]
    phi.finish()
    state = [[(np.zeros(n), np.zeros(n)) for n in layers] for _ in range(count)]
    m, v = np.zeros(count), np.zeros(count)
    theta, result = np.array(start), []
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        root = np.sqrt(v / (1 - beta2 ** t)) + 1e-8
        inputs = np.stack([m / (1 - beta1 ** t) / root, g / root])
        for k in range(count):
            x = w_in @ inputs[:, k] + b_in
            x = np.where(x > 0, x, np.exp(x) - 1)
            for layer, (w, b) in enumerate(cells):
                state[k][layer] = lstm_cell(w, b, x, *state[k][layer])
                x = state[k][layer][1]
            theta[k] -= scale * np.tanh(weight @ x + bias)
        result.append(theta.copy())
    return result


def gru_cell(parameters, x, hidden):
    """Cho et al., 2014: gates update, reset; the update gate takes the candidate in."""
    w_gates, b_gates, w, b = parameters
    update, reset = np.split(sigmoid(w_gates @ np.concatenate([x, hidden]) + b_gates), 2)
    candidate = np.tanh(w @ np.concatenate([x, reset * hidden]) + b)
    return (1 - update) * hidden + update * candidate


def hierarchical(phi, gradients, start, batch, tensors, units, tensor_units, global_units, scales):
    """Wichrowska et al., 2017, simplified as HierarchicalRnn says. tensors: how many coordinates each has."""
    phi = Phi(phi)
    coordinate = phi.gru(2 * scales + 1 + tensor_units, units)
    tensor = phi.gru(units + global_units, tensor_units)
    top = phi.gru(tensor_units, global_units)
    output, shortcut, log_rate = phi.take(2, units), phi.take(scales), phi.take(1)[0]
    phi.finish()
    size = sum(tensors)
    pieces = np.split(np.arange(size), np.cumsum(tensors)[:-1])
    decays = np.array([0.9 ** (2.0 ** -s) for s in range(scales)])
    m, v = np.zeros((batch, size, scales)), np.zeros((batch, size, scales))
    rate, rate_mean = np.zeros((batch, size)), np.zeros((batch, size))
    low, high = np.zeros((batch, size, units)), np.zeros((batch, global_units))
    middle = np.zeros((batch, len(tensors), tensor_units))
    theta, result = np.array(start).reshape(batch, size), []
    for t, g in enumerate(gradients, 1):
        g = np.array(g).reshape(batch, size)
        for b in range(batch):
            scaled = np.zeros((size, scales))
            for j, piece in enumerate(pieces):
                mean_rate = np.mean(rate[b, piece])
                for k in piece:
                    m[b, k] = decays * m[b, k] + (1 - decays) * g[b, k]
                    v[b, k] = decays * v[b, k] + (1 - decays) * g[b, k] ** 2
                    square = v[b, k] / (1 - decays ** t) + 1e-16
                    scaled[k] = m[b, k] / (1 - decays ** t) / np.sqrt(square)
                    magnitudes = np.log(square) - np.mean(np.log(square))
                    x = np.concatenate([scaled[k], magnitudes, [rate[b, k] - mean_rate], middle[b, j]])
                    low[b, k] = gru_cell(coordinate, x, low[b, k])
            for j, piece in enumerate(pieces):
                middle[b, j] = gru_cell(tensor, np.concatenate([np.mean(low[b, piece], axis=0), high[b]]), middle[b, j])
            high[b] = gru_cell(top, np.mean(middle[b], axis=0), high[b])
            for piece in pieces:
                direction = np.array([output[0] @ low[b, k] + shortcut @ scaled[k] for k in piece])
                direction /= np.sqrt(np.mean(direction ** 2) + 1e-16)
                for d, k in zip(direction, piece):
                    rate[b, k] = rate_mean[b, k] + np.clip(output[1] @ low[b, k], -1, 1)
                    rate_mean[b, k] = 0.9 * rate_mean[b, k] + 0.1 * rate[b, k]
                    theta[b, k] += np.exp(rate[b, k] + log_rate) * d
        result.append(theta.flatten())
    return result


def adafactor(phi, gradients, start, batch, shapes, hidden, step_scale, magnitude_scale):
    """Metz et al., 2022, and AdafacMLPLOpt; factored as [all but the last axis, last axis], a vector not at all."""
    phi = Phi(phi)
    take_m, take_v, take_f = np.exp(10 * phi.take(3)), np.exp(10 * phi.take(1)[0]), np.exp(10 * phi.take(3))
    layers, inputs = [], 28 + 11
    for units in [*hidden, 2]:
        layers.append((phi.take(units, inputs), phi.take(units)))
        inputs = units
    phi.finish()
    scales = np.array([1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000])
    matrices = [(s[0], 1) if len(s) == 1 else (int(np.prod(s[:-1])), s[-1]) for s in shapes]
    size = sum(r * c for r, c in matrices)
    state = {(b, j): [np.zeros((3, r, c)), np.zeros((r, c)), np.zeros((3, r, 1)), np.zeros((3, 1, c))]
             for b in range(batch) for j, (r, c) in enumerate(matrices)}
    theta, result = np.array(start).reshape(batch, size), []
    for t, g in enumerate(gradients):
        g, embedding = np.array(g).reshape(batch, size), np.tanh(t / scales - 1)
        for b in range(batch):
            at = 0
            for j, (r, c) in enumerate(matrices):
                own, before = g[b, at:at + r * c].reshape(r, c), theta[b, at:at + r * c].reshape(r, c)
                m, v, rows, columns = state[b, j]
                for s in range(3):
                    m[s] += take_m[s] * (own - m[s])
                    rows[s] += take_f[s] * (np.mean(own ** 2, axis=1, keepdims=True) - rows[s])
                    columns[s] += take_f[s] * (np.mean(own ** 2, axis=0, keepdims=True) - columns[s])
                v += take_v * (own ** 2 - v)
                row, column = np.broadcast_to(rows, (3, r, c)), np.broadcast_to(rows if c == 1 else columns, (3, r, c))
                if c == 1:
                    factor = 1 / np.sqrt(row + 1e-9)
                else:
                    relative = rows / (np.mean(rows, axis=1, keepdims=True) + 1e-9)
                    factor = 1 / np.sqrt(relative + 1e-9) / np.sqrt(columns + 1e-9)
                inverse = 1 / np.sqrt(v + 1e-6)
                features = [own, before, *m, v, *(m * inverse), inverse, *(own * factor), *row, *column,
                            *(1 / np.sqrt(row + 1e-8)), *(1 / np.sqrt(column + 1e-8)), *(m * factor)]
                features = [f / np.sqrt(np.mean(f ** 2) + 1e-5) for f in features]
                update = np.zeros((r, c))
                for y in range(r):
                    for z in range(c):
                        x = np.concatenate([[f[y, z] for f in features], embedding])
                        for layer, (w, bias) in enumerate(layers):
                            x = w @ (np.maximum(x, 0) if layer else x) + bias
                        update[y, z] = -step_scale * x[0] * np.exp(magnitude_scale * x[1])
                theta[b, at:at + r * c] += update.flatten()
                at += r * c
        result.append(theta.flatten())
    return result


def learnable_adam(phi, gradients, start):
    rate, beta1, beta2, epsilon = np.exp(phi[0]), sigmoid(phi[1]), sigmoid(phi[2]), np.exp(phi[3])
    m, v, theta, result = np.zeros(len(start)), np.zeros(len(start)), np.array(start), []
    for t, g in enumerate(gradients, 1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        theta = theta - rate * m / (1 - beta1 ** t) / (np.sqrt(v / (1 - beta2 ** t)) + epsilon)
        result.append(theta)
    return result


def learnable_sgd(phi, gradients, start):
    theta, result = np.array(start), []
    for g in gradients:
        theta = theta - np.exp(phi[0]) * g
        result.append(theta)
    return result


def per_group(rule, phi, gradients, start, batch, groups):
    """groups: of each coordinate of an instance, which network has it. Each network sees its own coordinates of all instances."""
    size, networks = len(groups), max(groups) + 1
    parts = np.split(np.array(phi), networks)
    result = [np.zeros(batch * size) for _ in gradients]
    for network in range(networks):
        own = [b * size + k for b in range(batch) for k in range(size) if groups[k] == network]
        for t, theta in enumerate(rule(parts[network], [g[own] for g in gradients], np.array(start)[own])):
            result[t][own] = theta
    return result


def case(seed, phi, count, run, adjust=lambda phi: phi):
    """Random phi, theta_0 and gradients of many sizes, some exactly 0 and some next to e^-10 and e^-4."""
    random = np.random.default_rng(seed)
    phi = np.round(adjust(random.normal(0, 0.5, phi)), 6)
    start = np.round(random.normal(0, 1, count), 6)
    sizes = np.array([1, 1e-3, 30, 0, 0.9 * np.exp(-10), 1.1 * np.exp(-10), 0.9 * np.exp(-4), 1.1 * np.exp(-4)])
    gradients = [
        np.round(np.sign(random.normal(0, 1, count)) * sizes[(np.arange(count) + 3 * t) % 8]
                 + 0.01 * (t % 2) * random.normal(0, 1, count), 9)
        for t in range(STEPS)]
    thetas = run(phi, [g.copy() for g in gradients], start.copy())
    return {
        "phi": phi.tolist(), "start": start.tolist(), "gradients": [g.tolist() for g in gradients],
        "thetas": [[float(f"{x:.15g}") for x in t] for t in thetas],
    }


def decays(phi):
    """1 - decay = e^(10 phi) must be a share."""
    return np.concatenate([-0.05 - 0.4 * np.abs(phi[:7]) / (1 + np.abs(phi[:7])), phi[7:]])


cases = {
    "lstm": case(1, 123, 8, lambda *a: lstm(*a, layers=[3, 2], scale=0.3)),
    "lstm, p = 4, without forget gates": case(2, 93, 8, lambda *a: lstm(*a, layers=[3, 2], p=4, forget=False)),
    "lstm, plain gradients": case(3, 111, 8, lambda *a: lstm(*a, layers=[3, 2], p=0)),
    "lstm-gac": case(
        4, 4 * 4 * 6 + 16 + 4 * 1 * 5 + 4 + 1 + 1, 6,
        lambda *a: lstm_gac(*a, batch=2, layers=[4, 1], averaged=2, p=4, scale=0.5)),
    "ntm-bfgs": case(5, 4 * 3 * 7 + 12 + 7 * 3 + 7 + 3 + 1, 6, lambda *a: ntm_bfgs(*a, batch=2, layers=[3], averaged=1, p=4, scale=0.2)),
    "rnnprop": case(
        6, 9 + 4 * 4 * 7 + 16 + 4 * 2 * 6 + 8 + 3, 8,
        lambda *a: rnnprop(*a, features=3, layers=[4, 2], beta1=0.8, beta2=0.97, scale=0.2)),
    "hierarchical-rnn": case(
        7, 6 * 12 + 6 + 3 * 12 + 3 + 4 * 9 + 4 + 2 * 9 + 2 + 8 * 6 + 8 + 4 * 6 + 4 + 6 + 3 + 1, 12,
        lambda *a: hierarchical(*a, batch=2, tensors=[4, 2], units=3, tensor_units=2, global_units=4, scales=3)),
    "adafactor-mlp": case(
        8, 7 + 3 * 39 + 3 + 2 * 3 + 2 + 2 * 2 + 2, 32,
        lambda *a: adafactor(
            *a, batch=2, shapes=[(2, 3), (2,), (2, 2, 2)], hidden=[3, 2], step_scale=0.05, magnitude_scale=0.3), decays),
    "learnable-adam": case(9, 4, 8, learnable_adam),
    "learnable-sgd": case(10, 1, 8, learnable_sgd),
    "per-group": case(
        11, 2 * (4 * 2 * 4 + 8 + 3), 12,
        lambda *a: per_group(lambda *b: lstm_gac(*b, batch=2, layers=[2], averaged=1), *a, batch=2, groups=[1, 0, 0, 1, 1, 0])),
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "rules.json"), "w") as file:
    json.dump({"numpy": np.__version__, "cases": cases}, file, indent=0)
    file.write("\n")
