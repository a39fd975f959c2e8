"""What start-up costs: CPU seconds of `vcmp --help` and `--cfg job` beside `import hydra` alone.

    python benchmarks/startup.py [runs]

Run it in the project's folder. Each command is run in turn, several times; medians are compared.
"""

import resource
import subprocess
import sys
from statistics import median

COMMANDS = {
    "import hydra": ["-c", "import hydra"],
    "vcmp --help": ["-m", "vcmp", "--help"],
    "vcmp --cfg job": ["-m", "vcmp", "--cfg", "job"],
    "config mistake": ["-m", "vcmp", "repets=3"],
}


def cpu_s(arguments: list[str]) -> float:
    """User and system seconds of one run as a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, arguments in COMMANDS.items():
            seconds[name].append(cpu_s(arguments))
    reference = median(seconds["import hydra"])
    print(f"{'command':<16} {'CPU s':>7} {'ratio':>7}   (median of {runs})")
    for name, values in seconds.items():
        print(f"{name:<16} {median(values):7.3f} {median(values) / reference:7.2f}")
    allowed = 1.3 * reference + 0.2
    print(f"--help may cost 1.3 × import hydra + 0.2 s = {allowed:.3f} s")


if __name__ == "__main__":
    main()
