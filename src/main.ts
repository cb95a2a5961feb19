import { createChannels, hooksOf, listen } from '#channels/registry.ts';
import { createApp } from '#http/app.ts';
import { progressHub } from '#http/progress-hub.ts';
import { serve } from '#http/server.ts';
import { runProcess } from '#platform/lifecycle.ts';
import { trimMemory } from '#platform/memory.ts';
import { joinMailer } from '#services/spread/join-mailer.ts';
import { isOurReturnPath, receiveBounce } from '#services/receipts/receive-bounce.ts';
import { warmUp } from '#services/upkeep/warm-up.ts';
import { warmUpLaunch } from '#services/messages/warm-up-launch.ts';
import { createRuntime } from './runtime.ts';

/** Long requests (an import, an export) may finish; what is left after this is cut and can be repeated. */
const DRAIN_MS = 10_000;

await runProcess('api', async (env) => {
  const runtime = await createRuntime(env, 'api');
  const { deps, config, log } = runtime;
  const { email } = createChannels(runtime.channels, { log });
  const app = createApp({ ...deps, mailer: joinMailer(email, deps) }, { queue: runtime.queues, hooks: hooksOf(runtime.channels) });
  await trimMemory();
  await warmUp(log, async () => {
    // The router is put together by the first request, in 10 ms.
    await Promise.all([warmUpLaunch(deps), app.request('/livez')]);
  });
  const server = await serve(app, { port: config.port, host: config.host, endStreams: () => progressHub(deps).close() });
  const intakes = await listen(
    runtime.channels,
    { log },
    { accepts: (ref) => isOurReturnPath(deps, ref), receive: (ref, returned) => receiveBounce(deps, ref, returned) },
  );
  log.info({ url: server.url, queue: runtime.queues.backend }, 'api started');
  return {
    log,
    close: async () => {
      await server.close(DRAIN_MS);
      await intakes.close();
      await email.close();
      await runtime.close();
    },
  };
});
