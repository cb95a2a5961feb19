import type { Audience } from '#schemas/audience.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Wording } from '#schemas/wording.ts';
import { type CapAlert, type CapInfo, type CapReference, capTime, formatReference } from './cap-alert.ts';
import { capShapes } from './cap-area.ts';
import type { KeptCap } from './cap-to-message.ts';
import { fillTemplate, parseTemplate } from '#domain/message/template.ts';

export interface CapSource {
  /** The public id, which is unique and has letters, digits and _ alone. */
  readonly id: string;
  /** The host of this installation, which assigns the identifiers. */
  readonly sender: string;
  readonly tenantName: string;
  readonly class: MessageClass;
  readonly drill: boolean;
  readonly kind: 'original' | 'correction' | 'all_clear' | 'join';
  readonly title: string | null;
  readonly text: Readonly<Record<string, string>>;
  readonly said: Wording | null;
  readonly audience: Audience;
  readonly share: boolean;
  readonly createdAt: Date;
  readonly launchedAt: Date | null;
  readonly expiresAt: Date | null;
  /** The alert that the message was made from. */
  readonly cap: KeptCap | null;
  /** The messages that this one follows, the nearest first. */
  readonly follows: readonly CapReference[];
}

/** When a message was issued: its launch, or before that the time when it was written. */
export const sentOf = (message: Pick<CapSource, 'launchedAt' | 'createdAt'>): string => capTime(message.launchedAt ?? message.createdAt);

/**
 * Makes a CAP 1.2 alert of our own. It has our identifier, and what the alert said of the danger that the message was made
 * from.
 */
export function messageToCap(message: CapSource): CapAlert {
  const { cap } = message;
  return {
    identifier: message.id,
    sender: message.sender,
    sent: sentOf(message),
    status: message.launchedAt === null ? 'Draft' : message.drill ? 'Exercise' : 'Actual',
    msgType: message.follows.length === 0 ? 'Alert' : message.kind === 'all_clear' ? 'Cancel' : message.kind === 'correction' ? 'Update' : 'Alert',
    ...(cap ? { source: `${cap.sender},${cap.identifier},${cap.sent}` } : {}),
    ...scopeOf(message),
    code: [],
    ...(message.follows.length > 0 ? { references: message.follows.map(formatReference).join(' ') } : {}),
    ...(cap?.incidents ? { incidents: cap.incidents } : {}),
    info: Object.entries(message.text).map(([language, text]) => infoOf(message, language, text)),
  };
}

/** Says whom the text is meant for. It is Public only where it came from a public alert or may be passed on. */
function scopeOf({ cap, share, tenantName }: CapSource): Pick<CapAlert, 'scope' | 'restriction' | 'addresses'> {
  if (cap?.scope === 'Restricted' && cap.restriction) return { scope: 'Restricted', restriction: cap.restriction };
  if (cap?.scope === 'Private' && cap.addresses) return { scope: 'Private', addresses: cap.addresses };
  if (cap || share) return { scope: 'Public' };
  return { scope: 'Restricted', restriction: `For the people whom ${tenantName} addresses.` };
}

/** What the class of a message says in CAP's words; Unknown where it says nothing. */
const DANGER = {
  life: { category: 'Safety', urgency: 'Immediate', severity: 'Severe', certainty: 'Unknown' },
  ops: { category: 'Other', urgency: 'Unknown', severity: 'Unknown', certainty: 'Unknown' },
  bulk: { category: 'Other', urgency: 'Unknown', severity: 'Unknown', certainty: 'Unknown' },
} as const;

function infoOf(message: CapSource, language: string, text: string): CapInfo {
  // Names and links are personal, so the alert reads as it would to an unknown person.
  const plain = fillTemplate(parseTemplate(text), {}).trim();
  const firstLine = plain.split('\n')[0]?.slice(0, 160) || plain.slice(0, 160);
  const first = message.cap?.info[0];
  const origin = message.cap?.info.find((info) => (info.language ?? 'en-US') === language) ?? first;
  const said = message.said?.[language] ?? {};
  const danger = DANGER[message.class];
  const headline = origin?.headline ?? message.title ?? firstLine;
  return {
    language,
    category: origin ? origin.category : [danger.category],
    event: origin?.event ?? message.title ?? firstLine,
    responseType: message.kind === 'all_clear' ? ['AllClear'] : (origin?.responseType ?? []),
    urgency: message.kind === 'all_clear' ? 'Past' : (origin?.urgency ?? danger.urgency),
    severity: origin?.severity ?? danger.severity,
    certainty: origin?.certainty ?? danger.certainty,
    eventCode: origin?.eventCode ?? [],
    ...(message.expiresAt ? { expires: capTime(message.expiresAt) } : {}),
    senderName: origin?.senderName ?? said.issuer ?? message.tenantName,
    headline,
    description: message.drill && !plain.startsWith('EXERCISE') ? `EXERCISE: ${plain}` : plain,
    ...(said.who ? { audience: said.who } : {}),
    // The whole text of a correction is its instruction, and is not said twice.
    ...(said.instruction && said.instruction !== text ? { instruction: said.instruction } : {}),
    ...(origin?.web ? { web: origin.web } : {}),
    ...(origin?.contact ? { contact: origin.contact } : {}),
    parameter: origin?.parameter ?? [],
    resource: origin?.resource ?? [],
    area: areaOf(message, origin?.areaDesc ?? (said.where ? [said.where] : [])),
  };
}

function areaOf(message: CapSource, described: readonly string[]): CapInfo['area'] {
  const { polygon, circle } = capShapes(message.audience);
  const areaDesc = [...new Set(described)].join('; ');
  if (polygon.length + circle.length === 0 && !areaDesc) return [];
  return [{ areaDesc: areaDesc || 'The area on the map', polygon, circle, geocode: [] }];
}
