"""A platform on several machines: a control plane in a network namespace, and hosts that join it from others."""
import os
import signal
import subprocess

import harness
import servers
from harness import wait_for


class Site:
    """A control plane in a namespace, and what joins it from others."""

    def __init__(self, net, folder):
        self.net, self.folder, self.agents, self.said = net, folder, {}, {}
        self.pg = servers.Postgres(folder, 15)
        self.start_serve(f"{net.PLANE}:6443")
        self.url = self.serve.ready()["api"]

    def start_serve(self, listen):
        self.serve = servers.Serve(self.folder, "--database", self.pg.url, listen=listen, prefix=self.net.prefix("plane"))

    def restart_serve(self):
        self.start_serve(self.url.removeprefix("https://"))
        self.serve.ready()

    def token(self, zone, **kw):
        more = [a for k, v in kw.items() for a in (f"--{k}", v)]
        return self.serve.slipway("token", "create", "--zone", zone, *more).out.strip()

    def agent_argv(self, name, *argv):
        return [*self.net.prefix(name), harness.BIN, "agent", "--data", self.folder.path / name, *argv]

    def join_argv(self, name, zone, token):
        return self.agent_argv(name, "--join", self.url, "--zone", zone, "--name", name, "--token", token)

    def join(self, name, zone):
        """A machine of its own that has joined; its address."""
        address = self.net.host(name)
        self.agents[name] = self.folder.start(self.join_argv(name, zone, self.token(zone)), f"{name}.log")
        self.heard(name)
        return address

    def start_agent(self, name):
        self.said[name] = len(self.folder.text(f"{name}.log"))
        self.agents[name] = self.folder.start(self.agent_argv(name), f"{name}.log")

    def host(self, name):
        done = self.serve.kubectl("get", "host", name, "-o", "json", check=False)
        return done.json if done.code == 0 else None

    def heard(self, name):
        return wait_for(f"host {name} to be heard", lambda: (self.host(name) or {}).get("status", {}).get("lastHeard"))

    # what runs on a machine

    def pids(self, name):
        return [int(p) for p in harness.call(["ip", "netns", "pids", self.net.ns(name)]).out.split()]

    def postmasters(self, name):
        """{pid: member folder} of the PostgreSQL servers of members on a machine."""
        found = {p: harness.Process.read(p) for p in self.pids(name)}
        return {p: proc.cwd for p, proc in found.items()
                if proc and proc.argv[0].endswith("/postgres") and proc.cwd.startswith(f"{self.folder.path}/{name}/m/")}

    def log(self, name):
        """What its agent has said since it was started."""
        return self.folder.text(f"{name}.log")[self.said[name]:]

    def power_off(self, name):
        """Ends every process of a machine at once, as a reboot does."""
        for pid in (pids := self.pids(name)):
            os.kill(pid, signal.SIGSTOP)  # so that none sees another one die
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.agents.pop(name).wait(10)
        wait_for(f"nothing to run on {name}", lambda: not self.pids(name))

    def end(self):
        """Stops the members' servers by their agents, which the folder's end would leave running."""
        for agent in self.agents.values():
            agent.send_signal(signal.SIGINT)
        for agent in self.agents.values():
            try:
                agent.wait(30)
            except subprocess.TimeoutExpired:
                agent.kill()
        for name in self.net.names:
            for pid in self.pids(name) if name != "plane" else []:
                os.kill(pid, signal.SIGKILL)
