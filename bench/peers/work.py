"""What is compared: a meta-step by back-propagation through time, the same decoupled, and an inner step alone."""
import torch

from rule import Cell, Fused, preprocess


class Network:
    """784-H-10 with sigmoids on the mini-batch of each step: theta [1, P] to losses [1]."""

    def __init__(self, data):
        self.images, self.labels = data["images"], data["labels"].long()
        self.hidden = int(data["hidden"].item())

    def loss(self, theta, step):
        pixels, units, classes = self.images.shape[2], self.hidden, 10
        w1, b1, w2, b2 = theta[0].split((pixels * units, units, units * classes, classes))
        hidden = torch.sigmoid(torch.addmm(b1, self.images[step], w1.view(pixels, units)))
        return torch.nn.functional.cross_entropy(torch.addmm(b2, hidden, w2.view(units, classes)), self.labels[step]).view(1)


class Quadratic:
    """|W theta - y|^2 of each function: theta [B, d] to losses [B]."""

    def __init__(self, data):
        self.w, self.y = data["w"], data["y"]

    def loss(self, theta, step):
        return (torch.bmm(self.w, theta.unsqueeze(2)).squeeze(2) - self.y).square().sum(1)


class MetaStep:
    """Unroll, meta-gradient, Adam on phi. The optimizer's inputs are detached; weights are uniform."""

    def __init__(self, data, settings, variant):
        compiled, variant = variant.endswith("-compiled"), variant.removesuffix("-compiled")
        self.theta0, self.steps, self.exponent = data["theta"], settings["unroll"], settings["exponent"]
        self.task = Network(data) if settings["task"] == "network" else Quadratic(data)
        self.rule = (Cell if variant == "cell" else Fused)([data[name] for name in settings["phi"]], settings["scale"])
        self.unroll = {"decoupled-lstm": self.decoupled, "decoupled-loop": self.decoupled}.get(variant, self.through_time)
        self.whole = variant == "decoupled-lstm"
        if compiled:
            # What autograd.grad is called on stays outside: it cannot be compiled.
            self.rule.step, self.task.loss = torch.compile(self.rule.step), torch.compile(self.task.loss)
        self.adam = torch.optim.Adam(self.rule.phi, lr=1e-12)

    def run(self):
        self.adam.zero_grad(set_to_none=True)
        self.unroll()
        self.adam.step()

    def through_time(self):
        theta, state = self.theta0.clone().requires_grad_(), self.rule.start(self.theta0.numel())
        losses, meta_loss = self.task.loss(theta, 0), 0
        for step in range(self.steps):
            (gradient,) = torch.autograd.grad(losses.sum(), theta, retain_graph=step > 0)
            update, state = self.rule.step(preprocess(gradient.flatten(), self.exponent), state)
            theta = theta + update.view_as(theta)
            losses = self.task.loss(theta, step + 1)
            meta_loss = meta_loss + losses.sum()
        (meta_loss / len(losses)).backward()

    def decoupled(self):
        """The adjoint of update t is the sum of the later gradients, so one pass over the recorded inputs is enough."""
        theta, state, inputs, gradients = self.theta0.clone(), self.rule.start(self.theta0.numel()), [], []
        for step in range(self.steps):
            gradients.append(self.gradient(theta, step))
            inputs.append(preprocess(gradients[-1], self.exponent))
            with torch.no_grad():
                update, state = self.rule.step(inputs[-1], state)
                theta = theta + update.view_as(theta)
        gradients.append(self.gradient(theta, self.steps))
        adjoints = torch.stack(gradients[1:]).flip(0).cumsum(0).flip(0) / len(theta)
        if self.whole:
            (self.rule.whole(torch.stack(inputs)) * adjoints).sum().backward()
            return
        state, meta_loss = self.rule.start(self.theta0.numel()), 0
        for x, adjoint in zip(inputs, adjoints):
            update, state = self.rule.step(x, state)
            meta_loss = meta_loss + torch.dot(update, adjoint)
        meta_loss.backward()

    def gradient(self, theta, step):
        theta = theta.detach().requires_grad_()
        return torch.autograd.grad(self.task.loss(theta, step).sum(), theta)[0].flatten()

    def result(self):
        self.adam.zero_grad(set_to_none=True)
        self.unroll()
        return self.rule.gradient()


class InnerStep:
    """theta += the trained optimizer's update, and nothing else, in inference mode."""

    def __init__(self, data, settings, variant):
        self.theta, self.input, self.exponent = data["theta"].flatten().clone(), data["gradient"].flatten(), settings["exponent"]
        self.rule = (Cell if variant == "cell" else Fused)([data[name] for name in settings["phi"]], settings["scale"])
        self.state = self.rule.start(self.theta.numel())

    def run(self):
        with torch.inference_mode():
            update, self.state = self.rule.step(preprocess(self.input, self.exponent), self.state)
            self.theta += update

    def result(self):
        before = self.theta.clone()
        self.run()
        return [self.theta - before]
