import { runProcess } from '#platform/lifecycle.ts';
import { trimMemory } from '#platform/memory.ts';
import { createRuntime } from '#src/runtime.ts';
import { startWorker } from './start.ts';

await runProcess('worker', async (env) => {
  const runtime = await createRuntime(env, 'worker');
  const worker = await startWorker(runtime);
  await trimMemory();
  return {
    log: runtime.log,
    close: async () => {
      await worker.close();
      await runtime.close();
    },
  };
});
