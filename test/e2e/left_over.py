"""What a platform may have when all is settled: for each Member of a row its process, folder, port and slot, and no
more. Each check answers with what should not be there, or is missing: an empty set when all is well."""
import psycopg

SECRETS = ("app", "app-verifier")


class Expected:
    """The rows, as the system database has them, and what they call for."""

    def __init__(self, platform, databases):
        self.platform, self.databases = platform, databases
        listed = platform.kubectl("get", "members", "-A", "-o", "json").json["items"]
        self.members = {f"{m['metadata']['namespace']}/{m['metadata']['name']}": m for m in listed}
        self.homes = {str(platform.data / "hosts" / m["spec"]["host"] / "m" / m["metadata"]["uid"].replace("-", "")[:12])
                      for m in listed}
        self.endpoints = {m["status"]["endpoint"] for m in listed}

    def rows(self):
        """databases: {"namespace/name": how many members}; no Database, Member or Secret beyond that."""
        have = set(self.platform.system_sql(
            "select kind || ' ' || namespace || '/' || name from slipway.object"
            " where kind in ('Database', 'Member', 'Secret')").split("\n")) - {""}
        want = {f"Database {d}" for d in self.databases} | {f"Member {m}" for m in self.members} \
            | {f"Secret {d}-{s}" for d in self.databases for s in SECRETS}
        for d, n in self.databases.items():
            mine = [m for m in self.members.values()
                    if d == f"{m['metadata']['namespace']}/{m['spec']['database']}"]
            if len(mine) != n:
                want |= {f"{n} members of {d}, not {len(mine)}"}
        strangers = {f"Member {key}" for key, m in self.members.items()
                     if f"{m['metadata']['namespace']}/{m['spec']['database']}" not in self.databases}
        return have ^ want | strangers

    def processes(self):
        """Each postmaster is a member's, and each other process in a member's folder a child of one."""
        servers = self.platform.postmasters()
        inside = [p for p in self.platform.processes()
                  if p.cwd.startswith(f"{self.platform.data}/hosts/") and "/m/" in p.cwd]
        tops = {p.cwd for p in servers.values()}
        return (tops ^ {f"{home}/data" for home in self.homes}) | {str(p) for p in inside if p.cwd not in tops}

    def folders(self):
        """Each folder is a member's, and holds nothing half made."""
        have = {str(p) for p in self.platform.data.glob("hosts/*/m/*")}
        known = {"want.json", "state.json", "data", "run", "log"}
        half = {str(p) for p in self.platform.data.glob("hosts/*/m/*/*") if p.name not in known}
        return have ^ self.homes | half

    def ports(self, before):
        """before: what the platform listened at without a member."""
        return (self.platform.ports() - before) ^ self.endpoints

    def slots(self):
        """Each primary has one for each of its standbys."""
        wrong = set()
        for d in self.databases:
            ns, name = d.split("/")
            primary = self.platform.get("database", name, ns)["status"]["primary"]
            want = {m["metadata"]["name"].replace("-", "_") for m in self.members.values()
                    if m["metadata"]["namespace"] == ns and m["spec"]["database"] == name} - {primary.replace("-", "_")}
            with self.platform.connect(name, ns) as c:
                have = {slot for slot, in c.execute("select slot_name from pg_replication_slots")}
            wrong |= {f"{d}: {slot}" for slot in have ^ want}
        return wrong


def look(platform, databases, ports):
    """{check: what is wrong} of those checks that found something."""
    e = Expected(platform, databases)
    found = {"rows": e.rows(), "processes": e.processes(), "folders": e.folders(), "ports": e.ports(ports),
             "slots": e.slots()}
    return {check: wrong for check, wrong in found.items() if wrong}


def nothing(platform, databases, ports):
    """For wait_for: true when nothing is left over, else an AssertionError that names it."""
    try:
        found = look(platform, databases, ports)
    except (KeyError, psycopg.Error) as e:
        raise AssertionError(f"not settled: {e!r}") from e
    assert not found, found
    return True
