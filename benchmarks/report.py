"""Results as text, for a terminal of 100 columns."""

COLUMNS = "{:<25}{:>7} {:>10} {:>21}{:>9}{:>8}{:>7}{:>11}"
HEAD = ("", "models", "µs/model", "min – max", "ratio", "/floor", "1st s", "deviation")


def head(record: dict) -> str:
    """Machine, versions and the limits that floors are made of."""
    env, limits = record["environment"], record["limits"]
    versions = ", ".join(f"{k} {env[k]}" for k in ("python", "jax", "numpy", "scipy"))
    return "\n".join([
        f"{env['cpu']}, {env['cores']} cores",
        versions,
        f"t_exp {limits['t_exp_ns']:.2f} ns, GEMM {limits['gemm_gflops']:.0f} Gflop/s: float64, "
        f"all cores; load average at start {env['load_at_start']:.1f}",
        "ratio: times jaxlogit's median; deviation: largest, in standard errors; "
        "1st s: first call,",
        "compilation included, fresh process; medians of interleaved rounds.",
    ])  # fmt: skip


def table(result: dict) -> str:
    """One workload."""
    rows = ["", f"{result['title']}: {result['status']}", COLUMNS.format(*HEAD)]
    for line in result["lines"]:
        if "skipped" in line:
            rows.append(f"{line['name']:<26}  skipped: {line['skipped']}"[:100])
            continue
        spread = f"{number(line['us_min'])} – {number(line['us_max'])}"
        rows.append(COLUMNS.format(
            line["name"], f"{line['models']:,}", number(line["us_per_model"]), spread,
            number(line["ratio"]), number(line.get("times_floor")),
            number(line.get("first_call_s")), deviation(line["deviation"]),
        ))  # fmt: skip
    return "\n".join(rows)


def memory(result: dict) -> str:
    """Peak memory, in one sentence for each fact."""
    return "\n".join([
        f"{result['replicates']:,} replicates of birthwt ({result['rows']} rows, "
        f"{result['terms']} terms) in one call, y as uint8:",
        f"responses {result['responses_mib']:,.0f} MiB; peak resident "
        f"{result['before_fit_peak_mib']:,.0f} MiB before the fit,",
        f"{result['wald_peak_mib']:,.0f} MiB with Wald intervals ({result['converged_share']:.2%} "
        f"converged; {result['fit_and_wald_seconds']:.1f} s),",
        f"{result['peak_mib']:,.0f} MiB with all LR intervals "
        f"({result['lr_seconds']:.0f} s).",
    ])  # fmt: skip


def growth(results: list[dict]) -> str:
    """A row for each size of batch."""
    rows = [f"{'models':>12}{'µs/model':>12}{'least':>10}{'peak MiB':>12}{'responses MiB':>16}"]
    for result in results:
        rows.append(
            f"{result['models']:>12,}{number(result['us_per_model']):>12}"
            f"{number(result['us_min']):>10}{result['peak_mib']:>12,.0f}"
            f"{result['responses_mib']:>16,.0f}"
        )
    return "\n".join(rows)


def deviation(value: float | None) -> str:
    """Largest deviation, or that the line is what others are compared with."""
    return "reference" if value is None else f"{value:.1e}"


def number(value: float | None) -> str:
    """Three digits, thousands marked; nothing for nothing."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
