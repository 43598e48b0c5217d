"""One process that does everything, with its partners connected: deliveries at a fixed rate and at full load."""

from __future__ import annotations

from benchmarks import adapter
from benchmarks.compared import CEILING
from benchmarks.exchange import prepare_exchange, serving_exchange
from benchmarks.stage import Figures, Seen, Stage

RATE = 200
"""Alerts a second while deliveries are timed."""


def deliveries(stage: Stage) -> Seen:
    """Time deliveries, then an adapter alone; at the full scale also intake while the same process delivers."""
    stage.say(f"exchange, delivering, at {RATE} alerts/s")
    with stage.folder("delivery") as folder:
        world = prepare_exchange(folder, delivering=True)
        submissions = stage.sign(world, per_second=RATE)
        with serving_exchange(world) as server:
            timed = stage.load(server, submissions, partners=world.partners, rate=RATE).load
    figures: Figures = {
        "delivery_p50_ms": round(timed.delivery_p50_ms, 2),
        "delivery_p99_ms": round(timed.delivery_p99_ms, 2),
        "delivery_rate_per_s": RATE,
        "delivered_per_s": round(timed.delivered_per_s, 1),
        "delivery_cpu_ms_per_alert": round(timed.cpu_s_per_1000, 2),
        "delivery_partner_cpu_ms": round(timed.partner_cpu_ms, 3),
        "delivery_load_cpu_share": round(timed.load_cpu_share, 2),
        "delivery_stolen_share": round(timed.stolen_share, 2),
    }
    line = (
        f"SQLite, one process, 201 to the partner's endpoint at {RATE} alerts/s: p50 {timed.delivery_p50_ms:.1f} ms, "
        f"p99 {timed.delivery_p99_ms:.1f} ms ({timed.delivered_per_s:,.0f} deliveries/s; processor time: exchange "
        f"{timed.cpu_s_per_1000:.2f} ms an alert with its deliveries, partner {timed.partner_cpu_ms:.3f} ms a "
        f"delivery; {timed.stolen_share:.0%} stolen)"
    )
    shown = [line]
    if stage.scale.saturate:
        stage.say("exchange, delivering, at full load")
        with stage.folder("delivering") as folder:
            world = prepare_exchange(folder, delivering=True)
            submissions = stage.sign(world, per_second=CEILING)
            with serving_exchange(world) as server:
                full = stage.load(server, submissions, partners=world.partners).load
        figures["delivering_accepted_per_s"] = round(full.accepted_per_s, 1)
        figures["delivering_delivered_per_s"] = round(full.delivered_per_s, 1)
        shown.append(
            f"At full load with partners connected: {full.accepted_per_s:,.0f} accepted/s, "
            f"{full.delivered_per_s:,.0f} deliveries/s; {full.stolen_share:.0%} stolen"
        )
    alone = _alone(stage)
    return Seen({**figures, **alone.figures}, (*shown, *alone.shown))


def _alone(stage: Stage) -> Seen:
    stage.say("one adapter alone")
    seen = adapter.Result(**stage.ran("benchmarks.adapter", str(stage.scale.parcels)))
    figures: Figures = {
        "adapter_deliveries_per_s": round(seen.per_s, 1),
        "adapter_cpu_ms": round(seen.adapter_cpu_ms, 3),
        "adapter_partner_cpu_ms": round(seen.partner_cpu_ms, 3),
        "adapter_stolen_share": round(seen.stolen_share, 2),
    }
    line = (
        f"One adapter alone, off the bus of one process, to an HTTPS partner: {seen.per_s:,.0f} deliveries/s "
        f"(processor time: adapter {seen.adapter_cpu_ms:.2f} ms, partner {seen.partner_cpu_ms:.3f} ms; "
        f"{seen.stolen_share:.0%} stolen)"
    )
    return Seen(figures, (line,))
