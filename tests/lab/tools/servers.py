"""Storage servers of the lab, in user space: NFS (Ganesha) and iSCSI (tgt, with CHAP)."""

from pathlib import Path

from tests.lab.tools.hosts import STORE, Lab, until

GANESHA = """NFS_CORE_PARAM {
    Protocols = 3,4; MNT_Port = 20048; NFS_Port = 2049;
    Enable_NLM = false; Enable_RQUOTA = false; fsid_device = true;
}
NFSV4 { Grace_Period = 5; Lease_Lifetime = 10; RecoveryBackend = fs; }
EXPORT {
    Export_Id = 1; Path = /srv/export; Pseudo = /export; Protocols = 3,4;
    Access_Type = RW; Squash = No_Root_Squash; SecType = sys; FSAL { Name = VFS; }
}
LOG { Default_Log_Level = EVENT; }
"""
TARGET, USER, PASSWORD = "iqn.2026-01.lab:primary", "chapu", "chappass123456"
UNITS = (100, 200, 200, 300)  # MiB


class Store:
    def __init__(self, lab: Lab):
        self.lab, self.address = lab, lab.address(STORE)
        self.units = lab.directory / "units"

    def up(self) -> None:
        self.lab.start(STORE)
        self._nfs()
        self._iscsi()

    def _nfs(self) -> None:
        (self.lab.directory / "srv" / "export" / "pool").mkdir(exist_ok=True)
        conf = self.lab.directory / STORE / "ganesha.conf"
        conf.write_text(GANESHA)
        for folder in ("ganesha", "rpcbind"):
            self.lab.exec(STORE, "mkdir", "-p", f"/run/{folder}")
        self.lab.exec(STORE, "rpcbind")
        self.lab.exec(STORE, "ganesha.nfsd", "-f", conf, "-L", "/run/ganesha.log", "-p", "/run/ganesha.pid")
        until(lambda: "100003" in self.lab.exec(STORE, "rpcinfo", "-p", check=False).stdout, 30, "NFS does not come up")

    def _iscsi(self) -> None:
        self.units.mkdir(exist_ok=True)
        self.lab.exec(STORE, "tgtd", "--iscsi", f"portal={self.address}:3260")
        until(
            lambda: not self._tgt("--op", "show", "--mode", "system", check=False).returncode,
            10,
            "tgtd does not come up",
        )
        self._tgt("--op", "new", "--mode", "target", "--tid", 1, "-T", TARGET)
        for number, size in enumerate(UNITS, 1):
            path = self.units / str(number)
            if not path.exists():
                with path.open("wb") as file:
                    file.truncate(size << 20)
            self._tgt("--op", "new", "--mode", "logicalunit", "--tid", 1, "--lun", number, "-b", path)
        self._tgt("--op", "bind", "--mode", "target", "--tid", 1, "-I", "ALL")
        self._tgt("--op", "new", "--mode", "account", "--user", USER, "--password", PASSWORD)
        self._tgt("--op", "bind", "--mode", "account", "--tid", 1, "--user", USER)

    def _tgt(self, *words: object, check: bool = True):
        return self.lab.exec(STORE, "tgtadm", "--lld", "iscsi", *words, check=check)

    @property
    def nfs(self) -> str:
        return f"nfs://{self.address}/srv/export/pool"

    @property
    def iscsi(self) -> str:
        return f"iscsi://{USER}:{PASSWORD}@{self.address}/{TARGET}/1"

    @property
    def exported(self) -> Path:
        return self.lab.directory / "srv" / "export" / "pool"
