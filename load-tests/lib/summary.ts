import { plan } from './script.ts';
import { summaryOf } from './summary-of.ts';
import { summaryText } from './summary-text.ts';

/** k6 calls this at the end; every script exports it. */
export function handleSummary(data: unknown): Record<string, string> {
  const summary = summaryOf(plan, data);
  return { stdout: summaryText(summary), [plan.summaryFile]: `${JSON.stringify(summary, null, 2)}\n` };
}
