import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { VARIABLES } from '#platform/config.ts';

const known = new Set(VARIABLES.map((variable) => variable.name));
const read = (path: string): string => readFileSync(path, 'utf8');
const has = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const scratch = mkdtempSync(join(tmpdir(), 'muster-deploy-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The parts of a manifest that these tests read. */
interface Container {
  name: string;
  image: string;
  command: string[];
  env?: { name: string }[];
  envFrom?: unknown[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: Record<string, unknown>;
  livenessProbe?: { httpGet?: { path: string; port: string } };
  readinessProbe?: { httpGet?: { path: string; port: string } };
}
interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  data?: Record<string, string>;
  spec: {
    replicas?: number;
    selector?: unknown;
    podSelector?: unknown;
    minAvailable?: number;
    template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
  };
}
interface PodSpec {
  containers: Container[];
  automountServiceAccountToken?: boolean;
  terminationGracePeriodSeconds?: number;
  securityContext?: Record<string, unknown>;
}
interface Compose {
  services: Record<
    string,
    {
      image?: string;
      command?: string[];
      environment?: Record<string, string>;
      profiles?: string[];
      depends_on?: Record<string, { condition: string }>;
      restart?: string;
      read_only?: boolean;
      ports?: string[];
    }
  >;
}

const OURS = ['migrate', 'api', 'worker', 'simulator'];

describe('Dockerfile', () => {
  const lines = read('deploy/Dockerfile').split('\n');
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const copied = last.filter((line) => line.startsWith('COPY ') && !line.includes('--from=')).flatMap((line) => line.split(/\s+/).slice(1, -1));

  test('has two stages on Node 24 and ends as somebody who is not root', () => {
    const stages = lines.filter((line) => line.startsWith('FROM '));
    expect(stages).toHaveLength(2);
    for (const stage of stages) expect(stage).toMatch(/^FROM node:24-/);
    expect(last).toContain('USER 1000:1000');
    expect(last.findIndex((line) => line.startsWith('USER'))).toBeLessThan(last.findIndex((line) => line.startsWith('CMD')));
    expect(lines.join('\n')).toMatch(/npm ci --omit=dev .*--ignore-scripts/);
  });

  test('copies paths that exist and lets them through its ignore file', () => {
    const allowed = read('deploy/Dockerfile.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const wanted = lines.filter((line) => line.startsWith('COPY ') && !line.includes('--from=')).flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(wanted.length).toBeGreaterThan(5);
    for (const path of wanted) {
      expect(existsSync(path), path).toBe(true);
      expect(allowed).toContain(path);
    }
  });

  test('what it copies is enough to start every process, without the tests and what only a developer has', () => {
    const ignored = read('deploy/Dockerfile.dockerignore')
      .split('\n')
      .filter((line) => /^[a-z]/.test(line));
    for (const path of copied)
      cpSync(path, join(scratch, 'app', path), { recursive: true, filter: (source) => !ignored.includes(source) && !source.endsWith('.test.ts') });
    symlinkSync(join(process.cwd(), 'node_modules'), join(scratch, 'app/node_modules'));
    expect(existsSync(join(scratch, 'app/src/testing'))).toBe(false);
    for (const entry of ['src/main.ts', 'workers/main.ts', 'src/migrate-main.ts', 'src/simulator/main.ts']) {
      // Without its variables each process must say so and end with 78, which proves that all its modules were loaded.
      const result = spawnSync(process.execPath, [entry], { cwd: join(scratch, 'app'), env: { PATH: process.env.PATH ?? '' }, encoding: 'utf8' });
      expect(result.stderr, entry).toMatch(/is required/);
      expect(result.status, entry).toBe(78);
    }
  }, 60_000);
});

describe('compose', () => {
  const file = parse(read('deploy/compose.yaml'), { merge: true }) as Compose;

  function check(compose: Compose, simulator: boolean): void {
    const names = Object.keys(compose.services);
    expect(new Set(names)).toEqual(new Set(['postgres', 'redis', ...OURS.filter((name) => simulator || name !== 'simulator')]));
    for (const name of OURS) {
      const service = compose.services[name];
      if (!service) continue;
      const entry = service.command?.at(-1) ?? '';
      expect(existsSync(entry), entry).toBe(true);
      expect(service.read_only, name).toBe(true);
      for (const variable of Object.keys(service.environment ?? {})) expect(known, `${name} ${variable}`).toContain(variable);
    }
    for (const name of ['api', 'worker']) expect(compose.services[name]?.depends_on?.migrate?.condition).toBe('service_completed_successfully');
    expect(compose.services.redis?.command).toEqual(expect.arrayContaining(['--maxmemory-policy', 'noeviction']));
  }

  test('names the right processes, variables and order', () => {
    check(file, true);
    expect(file.services.simulator?.profiles).toEqual(['simulator']);
  });

  const command = has('docker', 'compose', 'version') ? ['docker', 'compose'] : has('docker-compose', 'version') ? ['docker-compose'] : undefined;
  test.skipIf(!command)(
    'renders (skipped where there is no docker compose)',
    () => {
      const [program = '', ...first] = command ?? [];
      const render = (...args: string[]) =>
        spawnSync(program, [...first, '-f', 'deploy/compose.yaml', ...args, 'config'], {
          encoding: 'utf8',
          env: { PATH: process.env.PATH ?? '', HOME: scratch },
        });
      const simulated = render('--env-file', 'deploy/simulator.env', '--profile', 'simulator');
      expect(simulated.stderr).not.toMatch(/invalid|error/i);
      expect(simulated.status).toBe(0);
      check(parse(simulated.stdout) as Compose, true);
      expect((parse(simulated.stdout) as Compose).services.api?.environment?.TWILIO_API_URL).toBe('http://api:8090');
      const plain = render('--env-file', 'deploy/simulator.env');
      if (program === 'docker') check(parse(plain.stdout) as Compose, false);
      const empty = render();
      expect(empty.status, 'a missing secret is refused').not.toBe(0);
      expect(empty.stderr).toMatch(/POSTGRES_PASSWORD|PUBLIC_URL|SECRET_KEYS/);
    },
    60_000,
  );

  test('the example files name variables that exist', () => {
    for (const path of ['deploy/example.env', 'deploy/simulator.env']) {
      const names = [...read(path).matchAll(/^([A-Z_]+)=/gm)].map((m) => m[1] ?? '');
      expect(names.length).toBeGreaterThan(5);
      for (const name of names) if (!['POSTGRES_PASSWORD', 'COMPOSE_PROJECT_NAME'].includes(name)) expect(known, path).toContain(name);
    }
  });
});

describe('Kubernetes', () => {
  const folder = 'deploy/kubernetes';
  const rendered = has('kubectl', 'version', '--client')
    ? spawnSync('kubectl', ['kustomize', folder], { encoding: 'utf8' })
    : has('kustomize', 'version')
      ? spawnSync('kustomize', ['build', folder], { encoding: 'utf8' })
      : undefined;
  const sources = (parse(read(`${folder}/kustomization.yaml`)) as { resources: string[] }).resources.map((name) => read(`${folder}/${name}`)).join('\n---\n');
  const manifests = parseAllDocuments(rendered?.status === 0 ? rendered.stdout : sources).map((document) => document.toJS() as Manifest);
  const named = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
  const workloads = [...named('Deployment'), ...named('Job')];

  test('every resource file is listed', () => {
    const { resources } = parse(read(`${folder}/kustomization.yaml`)) as { resources: string[] };
    expect(
      readdirSync(folder)
        .filter((name) => name !== 'kustomization.yaml')
        .sort(),
    ).toEqual([...resources].sort());
  });

  test.skipIf(!rendered)('the kustomize base renders (skipped where there is neither kubectl nor kustomize)', () => {
    expect(rendered?.stderr).toBe('');
    expect(rendered?.status).toBe(0);
    for (const manifest of manifests) if (manifest.kind !== 'Namespace') expect(manifest.metadata.namespace).toBe('muster');
    const config = named('ConfigMap')[0];
    for (const name of Object.keys(config?.data ?? { none: '' })) expect(known).toContain(name);
    // The generated name carries a hash, so that the pods are replaced when a value changes.
    expect(JSON.stringify(workloads)).toContain(config?.metadata.name);
  });

  test('api, worker and migrations run unprivileged, limited, from commands that exist', () => {
    expect(workloads.map((w) => w.metadata.name).sort()).toEqual(['muster-api', 'muster-migrate', 'muster-worker']);
    for (const { metadata, spec } of workloads) {
      const pod = spec.template.spec;
      expect(pod.securityContext, metadata.name).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(pod.automountServiceAccountToken).toBe(false);
      for (const container of pod.containers) {
        expect(container.image).toMatch(/^muster(:|$)/);
        expect(existsSync(container.command.at(-1) ?? ''), container.command.join(' ')).toBe(true);
        expect(container.securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
        expect(container.resources?.limits?.memory).toBeTruthy();
        expect(container.resources?.requests?.cpu).toBeTruthy();
        expect(container.envFrom).toHaveLength(2);
        for (const { name } of container.env ?? []) expect(known).toContain(name);
      }
    }
  });

  test('the API is probed, nothing is cut off before its 20 s, and one of each stays up', () => {
    const api = named('Deployment').find((d) => d.metadata.name === 'muster-api')?.spec.template.spec;
    expect(api?.containers[0]?.livenessProbe?.httpGet).toEqual({ path: '/livez', port: 'http' });
    expect(api?.containers[0]?.readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'http' });
    for (const { spec } of named('Deployment')) {
      expect(spec.replicas).toBeGreaterThanOrEqual(2);
      expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(25);
      expect(
        named('PodDisruptionBudget').some((budget) => JSON.stringify(budget.spec.selector) === JSON.stringify(spec.selector) && budget.spec.minAvailable === 1),
      ).toBe(true);
      expect(named('NetworkPolicy').some((policy) => JSON.stringify(policy.spec.podSelector) === JSON.stringify(spec.selector))).toBe(true);
    }
  });
});

describe('systemd', () => {
  const folder = 'deploy/systemd';
  const units = readdirSync(folder);

  test('the units run processes that exist, as a user without rights', () => {
    expect(units).toEqual(['muster-api.service', 'muster-migrate.service', 'muster-worker@.service']);
    for (const unit of units) {
      const text = read(`${folder}/${unit}`);
      expect(existsSync(/^ExecStart=\S+(?: --[\w-]+=\d+)* (\S+)$/m.exec(text)?.[1] ?? ''), unit).toBe(true);
      expect(text).toMatch(/^User=muster$/m);
      expect(text).toMatch(/^NoNewPrivileges=yes$/m);
      for (const [, name] of text.matchAll(/^Environment=([A-Z_]+)=/gm)) expect(known).toContain(name);
      if (!unit.includes('migrate')) expect(text).toMatch(/^RestartPreventExitStatus=78$/m);
    }
  });

  test.skipIf(!has('systemd-analyze', '--version'))(
    'systemd finds nothing wrong with them (skipped where there is no systemd)',
    () => {
      // The units name /opt/muster, which does not exist here; this checkout and the Node that runs the tests take its place.
      const place = join(scratch, 'units');
      mkdirSync(place);
      for (const unit of units)
        writeFileSync(
          join(place, unit.replace('@.', '@life.')),
          read(`${folder}/${unit}`).replaceAll('/opt/muster/node_modules/.bin/node', process.execPath).replaceAll('/opt/muster', process.cwd()),
        );
      const verify = (path: string) =>
        spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', path], {
          encoding: 'utf8',
          env: { PATH: process.env.PATH ?? '', SYSTEMD_UNIT_PATH: `${place}:` },
        });
      for (const unit of readdirSync(place)) {
        const result = verify(join(place, unit));
        expect(result.stderr, unit).toBe('');
        expect(result.status, unit).toBe(0);
      }
      writeFileSync(join(place, 'broken.service'), '[Service]\nExecStart=/nowhere/at/all\nRestrat=always\n');
      expect(verify(join(place, 'broken.service')).stderr).toMatch(/Restrat/);
    },
    60_000,
  );
});

describe('Prometheus rules', () => {
  const { groups } = parse(read('deploy/prometheus/muster.rules.yaml')) as {
    groups: { rules: { alert: string; expr: string; labels: { severity: string }; annotations: { runbook: string } }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);

  test('ask for metrics that the API has', () => {
    const metrics = read('src/http/metrics.ts');
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr } of rules) {
      const names = [...expr.matchAll(/\bmuster_[a-z_]+/g)].map((m) => m[0].replace(/_(bucket|count|sum)$/, ''));
      expect(names.length, alert).toBeGreaterThan(0);
      for (const name of names) expect(metrics, alert).toContain(`'${name}'`);
    }
  });

  test('name a runbook that is there', () => {
    const anchors = [...read('docs/runbooks.md').matchAll(/^## (.+)$/gm)].map((m) => (m[1] ?? '').toLowerCase().replaceAll(' ', '-'));
    for (const { alert, annotations, labels } of rules) {
      const [page, anchor] = annotations.runbook.split('#');
      expect(page).toBe('docs/runbooks.md');
      expect(anchors, alert).toContain(anchor);
      expect(['page', 'ticket']).toContain(labels.severity);
    }
  });
});

test('the page about running for real names variables that exist', () => {
  const text = ['docs/running-for-real.md', 'docs/runbooks.md'].map(read).join('\n');
  const names = [...text.matchAll(/`([A-Z][A-Z]+(?:_[A-Z\d]+)+)\b/g)].map((m) => m[1] ?? '');
  expect(new Set(names).size).toBeGreaterThan(8);
  for (const name of names) expect(known).toContain(name);
});
