// The live board's chart: points come from the numbers that the event stream writes into #tick.
(() => {
  const KEEP = 600;
  const start = () => {
    const tick = document.getElementById('tick');
    const place = document.getElementById('chart');
    const live = document.getElementById('live');
    if (!tick || !place || !live || !globalThis.uPlot) return;

    const read = () => ({ at: Number(tick.dataset.at) / 1000, sent: Number(tick.dataset.sent), answered: Number(tick.dataset.answered) });
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    // Canvas knows no light-dark(): let an element resolve it.
    const resolve = (name) => {
      const probe = document.createElement('i');
      probe.style.color = `var(${name})`;
      if (!colour(name)) return '#888';
      place.append(probe);
      const value = getComputedStyle(probe).color;
      probe.remove();
      return value;
    };

    // Rates over a window: single events come four a second and would draw spikes that mean nothing.
    const WINDOW = 3;
    const seen = [];
    const data = [[], [], []];
    let plot;
    const draw = () => {
      const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
      const axis = { stroke: resolve('--soft'), grid: { stroke: resolve('--line'), width: 1 }, ticks: { stroke: resolve('--line'), width: 1 } };
      plot?.destroy();
      plot = new uPlot(
        {
          width: place.clientWidth,
          height: 220,
          cursor: { show: false },
          legend: { live: false },
          scales: { y: { range: (_, _low, high) => [0, Math.max(1, high * 1.1)] } },
          axes: [
            { ...axis, space: 90, incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600], values: (_, splits) => splits.map((at) => clock.format(at * 1000)) },
            { ...axis, size: 52 },
          ],
          series: [
            {},
            {
              label: 'handed over per second',
              stroke: resolve('--accent'),
              width: 2,
              points: { show: false },
            },
            {
              label: 'answers per second',
              stroke: resolve('--good'),
              width: 2,
              dash: [6, 4],
              points: { show: false },
            },
          ],
        },
        data,
        place,
      );
    };

    // The server's time at the last event, carried on by this machine's own clock: rates fall to zero when nothing happens.
    let offset = read().at - performance.now() / 1000;
    const add = () => {
      const now = { ...read(), at: performance.now() / 1000 + offset };
      seen.push(now);
      while (seen.length > 2 && seen[1].at <= now.at - WINDOW) seen.shift();
      const [first] = seen;
      const seconds = now.at - first.at;
      if (seconds < 0.9) return;
      data[0].push(now.at);
      data[1].push(Math.max(0, (now.sent - first.sent) / seconds));
      data[2].push(Math.max(0, (now.answered - first.answered) / seconds));
      for (const series of data) if (series.length > KEEP) series.shift();
      // A page where nothing has moved yet needs no empty chart.
      if (!plot && !data[1].some(Boolean) && !data[2].some(Boolean)) return;
      if (data[0].length < 2) return;
      document.getElementById('chart-card').hidden = false;
      if (plot) plot.setData(data);
      else draw();
    };
    new MutationObserver(() => {
      offset = Math.max(offset, read().at - performance.now() / 1000);
    }).observe(tick, { attributes: true });
    add();
    setInterval(add, 1000);
    addEventListener('resize', () => plot?.setSize({ width: place.clientWidth, height: 220 }));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot && draw());

    // Screen readers hear the state of things every twenty seconds, not every change.
    const spoken = document.getElementById('spoken');
    setInterval(() => {
      const summary = document.getElementById('summary-line')?.textContent?.trim();
      if (spoken && summary && spoken.textContent !== summary) spoken.textContent = summary;
    }, 20_000);

    const connection = document.getElementById('connection');
    live.addEventListener('htmx:sse:error', (event) => {
      if (event.detail?.status === 401) location.assign('/sign-in?ended=1');
      else if (connection) connection.hidden = false;
    });
    live.addEventListener('htmx:sse:after:connection', () => connection && (connection.hidden = true));
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
