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

    let last = read();
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
            { ...axis, space: 90, values: (_, splits) => splits.map((at) => clock.format(at * 1000)) },
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

    const add = () => {
      const now = read();
      const seconds = now.at - last.at;
      if (!(seconds >= 0.2)) return;
      data[0].push(now.at);
      data[1].push(Math.max(0, (now.sent - last.sent) / seconds));
      data[2].push(Math.max(0, (now.answered - last.answered) / seconds));
      for (const series of data) if (series.length > KEEP) series.shift();
      last = now;
      if (data[0].length < 2) return;
      document.getElementById('chart-card').hidden = false;
      if (plot) plot.setData(data);
      else draw();
    };

    new MutationObserver(add).observe(tick, { attributes: true });
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
