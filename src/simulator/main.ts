import { ConfigError, processEnvironment, readSimulatorConfig, type SimulatorConfig } from '#platform/config.ts';
import { createLog } from '#platform/log.ts';
import { LIVELY } from './control.ts';
import { errorCode } from './error-code.ts';
import { startSimulator } from './start.ts';

/** Closing takes no longer than this, whatever hangs. In milliseconds. */
const CLOSE_MS = 4500;

function configOrExit(): SimulatorConfig {
  try {
    return readSimulatorConfig(processEnvironment());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(78);
  }
}

// When the parent dies, nobody else ends this process, even while it is still starting. `connected` is false where the parent
// died before this line, and undefined where there is no parent.
let orphaned = process.connected === false;
let started = false;
let closing = false;
process.once('disconnect', () => {
  orphaned = true;
  if (started) end();
});

const config = configOrExit();
const log = createLog('simulator', config.logLevel);

/** A port that is taken is a mistake of the installation, not of ours, so it is told in one line without a stack. */
function refuse(error: unknown): never {
  log.fatal({ code: errorCode(error) }, `the simulator cannot start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

const simulator = await startSimulator({
  port: config.port,
  smtpPort: config.smtpPort,
  host: config.host,
  dataFolder: config.dataFolder,
  publicUrl: config.publicUrl,
  accountSid: config.twilio.accountSid,
  authToken: config.twilio.authToken,
  second: config.second,
  bounceSmtpUrl: config.bounceSmtpUrl,
  behaviour: LIVELY,
  log,
}).catch(refuse);
log.info({ url: simulator.url, smtpUrl: simulator.smtpUrl }, 'simulator ready');
started = true;
if (process.connected) process.send?.({ ready: { url: simulator.url, smtpUrl: simulator.smtpUrl } });

function end(): void {
  if (closing) return;
  closing = true;
  setTimeout(() => process.exit(1), CLOSE_MS).unref();
  void simulator.close().then(() => process.exit(0));
}
process.on('SIGTERM', end);
process.on('SIGINT', end);
if (orphaned) end();
