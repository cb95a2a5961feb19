import type { Mutant } from './mutant.ts';

const MARK = 'src/db/delivery/mark-sql.ts';
const GUARD_SQL = 'src/db/delivery/guard-sql.ts';
const LAUNCH = 'src/services/messages/launch-draft.ts';
const APPROVE = 'src/services/messages/approve-message.ts';
const ASK = 'src/services/messages/ask-first.ts';
const ACROSS = 'schemas/migrations/0002_across_tenants.sql';

const guard = (name: string) => ({ file: 'src/testing/faults/send-guards.db.test.ts', name });
const inMark = (name: string) => ({ file: 'src/services/delivery/mark-guards.db.test.ts', name });
const route = (of: string, name: string) => ({ file: `src/http/routes/${of}.db.test.ts`, name });

const EMPTY = guard('audience: nothing is launched for nobody, and nothing starts for people who are no longer there');
const APPROVAL = guard('approval: who wrote or changed it cannot approve it, by whatever key, and nobody is called before another person has');
const CORRECTED = guard('correction: it goes to everybody who had the first and to nobody else, whoever fits the audience by now');
const IN_TURN = 'a message that is launched while another one is being marked does not slip past it';

/** Who may send what to whom: the guards that are asked at the API and again inside the mark. */
export const SEND_GUARD_MUTANTS: readonly Mutant[] = [
  {
    guard: 'audience',
    removed: 'that nothing is launched for nobody',
    changes: [{ file: LAUNCH, from: 'if (counted.count === 0)', to: 'if (counted.count < 0)' }],
    test: EMPTY,
  },
  {
    guard: 'audience',
    removed: 'that nothing scheduled starts for nobody',
    changes: [{ file: 'src/services/messages/start-scheduled.ts', from: 'if (people.count === 0)', to: 'if (people.count < 0)' }],
    test: EMPTY,
  },
  {
    guard: 'rejected rows',
    removed: 'that a launch asks about rows that were not taken',
    changes: [{ file: ASK, from: `if (!asking.acknowledged.includes('rejected_rows')) await`, to: `if (asking.acknowledged.includes('rejected_rows')) await` }],
    test: route('imports', 'a launch names an import whose rejected rows nobody has seen, and goes when they are acknowledged'),
  },
  {
    guard: 'rejected rows',
    removed: 'that an approval asks about them',
    changes: [{ file: APPROVE, from: 'await askApprover(tx, ctx, row, input.acknowledge ?? []);', to: '' }],
    test: route('imports', 'who approves is asked too'),
  },
  {
    guard: 'approval',
    removed: 'that more people than were approved are not launched',
    changes: [{ file: LAUNCH, from: 'if (row.audience_hash !== counted.hash)', to: 'if (row.audience_hash === null)' }],
    test: route('approval', 'an approval is for the people of that moment'),
  },
  {
    guard: 'approval',
    removed: 'that it is asked for',
    changes: [{ file: LAUNCH, from: 'if (row.approved_at === null) {', to: 'if (row.created_by === null) {' }],
    test: APPROVAL,
  },
  {
    guard: 'approval',
    removed: 'that the author cannot give it',
    changes: [{ file: APPROVE, from: '[row.created_by, ...row.changed_by]', to: 'row.changed_by' }],
    test: APPROVAL,
  },
  {
    guard: 'approval',
    removed: 'that who changed the message cannot give it',
    changes: [{ file: APPROVE, from: '[row.created_by, ...row.changed_by]', to: '[row.created_by]' }],
    test: APPROVAL,
  },
  {
    guard: 'approval',
    removed: 'that a person is known by all of his keys',
    changes: [{ file: APPROVE, from: ` || (await authorOf(tx, ctx.tenantId, label)) === ctx.actor.userId) return`, to: ') return' }],
    test: APPROVAL,
  },
  {
    guard: 'approval',
    removed: 'that the mark asks for it',
    changes: [{ file: GUARD_SQL, from: 'm.approved_at IS NULL OR ', to: '' }],
    test: inMark('its approval is gone'),
  },
  {
    guard: 'approval',
    removed: 'that the mark asks whose it is',
    changes: [{ file: GUARD_SQL, from: ' OR ${ownApprovalSql})', to: ' OR false)' }],
    test: inMark('its author is its approver'),
  },
  {
    guard: 'approval',
    removed: 'that the mark knows a person by all of his keys',
    changes: [{ file: GUARD_SQL, from: ` OR \${personSql(sql\`hand.label\`)} = \${personSql(sql\`m.approved_by\`)})\``, to: ')`' }],
    test: inMark('its approver is its author by another key'),
  },
  {
    guard: 'approval',
    removed: 'that the mark counts whom it was for',
    changes: [{ file: GUARD_SQL, from: `w.planned > m.audience_count THEN`, to: `w.planned < 0 THEN` }],
    test: inMark('more people are planned than were approved'),
  },
  {
    guard: 'correction',
    removed: 'that it is planned for those alone who may have had the first',
    changes: [
      {
        file: 'src/db/audience/wave-people.ts',
        from: `if (wave.selects === 'reached' && wave.followsId !== null)`,
        to: `if (wave.selects === 'reached' && wave.followsId === '')`,
      },
    ],
    test: CORRECTED,
  },
  {
    guard: 'correction',
    removed: 'that it is planned by what the first came by',
    changes: [{ file: 'src/db/audience/plan-page.ts', from: 'return plan.followsId === null ? base :', to: `return plan.followsId !== '' ? base :` }],
    test: CORRECTED,
  },
  {
    guard: 'correction',
    removed: 'that nobody else is marked for it',
    changes: [{ file: MARK, from: `WHEN g.selects = 'reached' AND NOT EXISTS`, to: `WHEN false AND NOT EXISTS` }],
    test: inMark('a correction calls nobody who cannot have had the first, whoever came into its plan, nor by another channel'),
  },
  {
    guard: 'correction',
    removed: 'that it goes to those in doubt too',
    changes: [
      {
        file: 'src/domain/delivery/delivery.ts',
        from: `['attempting', 'accepted', 'unknown', 'unresolved', 'delivered']`,
        to: `['attempting', 'accepted', 'unresolved', 'delivered']`,
      },
    ],
    test: guard('correction: it goes to those too of whose calls nobody knows the outcome'),
  },
  {
    guard: 'same text',
    removed: 'that it is asked about',
    changes: [{ file: ASK, from: `if (!asking.acknowledged.includes('repeated_text')) await`, to: `if (asking.acknowledged.includes('repeated_text')) await` }],
    test: route('repeated-text', 'the same text to some of the same people is asked about once, and sent when it is acknowledged'),
  },
  {
    guard: 'same text',
    removed: 'that what is scheduled counts',
    changes: [{ file: 'src/db/audience/repeated-text.ts', from: `(m.launched_at IS NOT NULL OR m.state = 'scheduled')`, to: 'm.launched_at IS NOT NULL' }],
    test: route('repeated-text', 'what is scheduled counts at its time'),
  },
  {
    guard: 'ceiling',
    removed: 'the ceiling inside the mark',
    changes: [{ file: MARK, from: 'over_ceiling(g.recent, p.id, g.ceiling)', to: 'false' }],
    test: route('ceiling', 'the preview says how many are left out, and they are listed with the reason'),
  },
  {
    guard: 'ceiling',
    removed: 'that the quick mark leaves it to the other one',
    changes: [
      { file: MARK, from: `AND w.selects IN ('all', 'not_reached', 'ids') AND \${recentSql} IS NULL`, to: `AND w.selects IN ('all', 'not_reached', 'ids')` },
    ],
    test: route('ceiling', 'the preview says how many are left out, and they are listed with the reason'),
  },
  {
    guard: 'ceiling',
    removed: 'that marks which ask it wait for each other',
    changes: [{ file: ACROSS, from: `  PERFORM pg_advisory_xact_lock(hashtext('over_ceiling'), app_tenant());\n`, to: '' }],
    test: route('ceiling', 'a mark that meets another message’s mark under way waits for it, and counts it'),
  },
  {
    guard: 'ceiling',
    removed: 'that a launch waits for marks under way',
    changes: [{ file: LAUNCH, from: `if (!scheduled && isBoundByCeiling(row, facts)) await`, to: `if (scheduled && isBoundByCeiling(row, facts)) await` }],
    test: route('ceiling', IN_TURN),
  },
  {
    guard: 'ceiling',
    removed: 'that a mark lets no launch pass',
    changes: [
      {
        file: 'src/db/delivery/stop-lock.ts',
        from: `pg_advisory_xact_lock_shared(\${sql.lit(LAUNCH_KEY)}, \${at('tenantId')}::integer)`,
        to: `\${at('tenantId')}::integer`,
      },
    ],
    test: route('ceiling', IN_TURN),
  },
  {
    guard: 'ceiling',
    removed: 'that a scheduled start waits for marks under way',
    changes: [
      {
        file: 'src/services/messages/start-scheduled.ts',
        from: `if (started.some(({ row }) => row.class !== 'life')) await`,
        to: 'if (started.length < 0) await',
      },
    ],
    test: route('ceiling', 'a message that is scheduled while another one is being marked does not slip past it'),
  },
];
