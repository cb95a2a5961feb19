import { Readable } from 'node:stream';
import { Client } from 'undici';
import { type Bench, startMuster } from '#bench/bench.ts';
import { SENDERS } from '#bench/people.ts';
import { watchRss } from '#bench/processes.ts';
import { round } from '#bench/statistics.ts';

export interface ImportsResult {
  readonly rows: number;
  readonly rowsPerSecond: number | null;
  /** Peak memory of the API process. */
  readonly rssMb: number | null;
  /** Rate of the same file once more, when nothing changes. */
  readonly againRowsPerSecond: number | null;
}

const LINES = 1_000;

/** A file as people have it: every column is filled, and names with commas are quoted. */
function* csv(rows: number): Generator<string> {
  yield 'external_id,name,phone,email,locale,time_zone,lat,lon,tags,skills,consent\n';
  for (let from = 0; from < rows; from += LINES) {
    let lines = '';
    for (let i = from; i < Math.min(rows, from + LINES); i++)
      lines += `p${i},"Souza, Ana ${i}",+1${2_100_000_000 + i},person.${i}@people.example,en,America/New_York,${40 + (i % 1000) / 1000},${-74 + (i % 777) / 1000},north;harbour,boat;medic,life;ops;bulk\n`;
    yield lines;
  }
}

export async function imports(bench: Bench): Promise<ImportsResult> {
  const { rows } = bench.sizes;
  const system = await startMuster(bench, { workers: 0 });
  const client = new Client(system.api, { headersTimeout: 0, bodyTimeout: 0 });
  try {
    const tenant = await system.addTenant([SENDERS.sms]);
    const post = async (): Promise<{ seconds: number; created: number; unchanged: number; rejected: number }> => {
      const start = performance.now();
      const headers = { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'text/csv' };
      const answer = await client.request({
        method: 'POST',
        path: '/v1/recipients/import',
        headers,
        body: Readable.from(csv(rows)),
        signal: AbortSignal.timeout(60_000 + rows),
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`import: ${answer.statusCode} ${text.slice(0, 300)}`);
      return { seconds: (performance.now() - start) / 1000, ...(JSON.parse(text) as { created: number; unchanged: number; rejected: number }) };
    };
    const rss = watchRss(system.apiPid);
    const first = await post().finally(() => rss.stop());
    const { peakMb } = rss.stop();
    if (first.created !== rows || first.rejected !== 0) throw new Error(`${rows} rows, ${first.created} created, ${first.rejected} rejected`);
    const { rows: counted } = await system.sql.query<{ n: number }>('SELECT count(*)::int AS n FROM recipients WHERE tenant_id = $1', [tenant.id]);
    if (counted[0]?.n !== rows) throw new Error(`${rows} rows, ${counted[0]?.n} people`);
    bench.say(`import: ${Math.round(rows / first.seconds)} rows/s, ${Math.round(peakMb)} MB`);
    bench.checkTime();
    const again = await post();
    if (again.unchanged !== rows) throw new Error(`${rows} rows again, ${again.unchanged} unchanged`);
    return { rows, rowsPerSecond: round(rows / first.seconds), rssMb: round(peakMb), againRowsPerSecond: round(rows / again.seconds) };
  } finally {
    await client.destroy();
    await system.close();
  }
}
