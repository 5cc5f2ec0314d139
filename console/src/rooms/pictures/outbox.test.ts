import { describe, expect, it } from 'vitest';

import { Failure, offline } from '../../server/problem';
import { Outbox } from './outbox';
import type { Upload } from './uploads';

type Transport = ConstructorParameters<typeof Outbox>[0];
type Sent = Parameters<NonNullable<Transport>>[0];

const file = (name: string) => new File(['x'], name);
const noWait = () => Promise.resolve();
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

function accepting(id: string): Upload {
  return { id } as Upload;
}

describe('the outbox', () => {
  it('sends two at once, and forgets what was accepted', async () => {
    const open: (() => void)[] = [];
    const outbox = new Outbox(({ file: { name } }) => {
      return new Promise((resolve) => open.push(() => resolve(accepting(name))));
    }, noWait);
    const accepted: string[] = [];
    outbox.add([file('a'), file('b'), file('c')], ['objects'], ({ id }) => accepted.push(id));
    expect(open).toHaveLength(2);
    open[0]?.();
    await settled();
    expect(open).toHaveLength(3);
    open[1]?.();
    open[2]?.();
    await settled();
    expect(accepted).toEqual(['a', 'b', 'c']);
    expect(outbox.parcels()).toEqual([]);
  });

  it('asks a server that was away again, with the same key', async () => {
    const sent: Sent[] = [];
    const outbox = new Outbox((sending) => {
      sent.push(sending);
      if (sent.length < 3) return Promise.reject(offline());
      return Promise.resolve(accepting('late'));
    }, noWait);
    const accepted: string[] = [];
    outbox.add([file('a')], ['objects'], ({ id }) => accepted.push(id));
    await settled();
    expect(accepted).toEqual(['late']);
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
  });

  it('keeps a refused file with its reason until it is sent again or dismissed', async () => {
    let refuse = true;
    const outbox = new Outbox(() => {
      if (!refuse) return Promise.resolve(accepting('now'));
      return Promise.reject(new Failure({ code: 'corrupt_media', status: 422, detail: 'Cut off.' }));
    }, noWait);
    const accepted: string[] = [];
    const accept = ({ id }: Upload) => accepted.push(id);
    outbox.add([file('a')], ['objects'], accept);
    await settled();
    const [kept] = outbox.parcels();
    expect(kept?.failure?.message).toBe('Cut off.');
    refuse = false;
    outbox.retry(kept?.id ?? 0, accept);
    await settled();
    expect(accepted).toEqual(['now']);
    expect(outbox.parcels()).toEqual([]);
  });

  it('tells its listeners how far a file is', async () => {
    const shares: number[] = [];
    const outbox = new Outbox(({ onProgress }) => {
      onProgress(0.5);
      return Promise.resolve(accepting('a'));
    }, noWait);
    outbox.subscribe(() => shares.push(outbox.parcels()[0]?.share ?? 1));
    outbox.add([file('a')], ['objects'], () => undefined);
    await settled();
    expect(shares).toContain(0.5);
  });
});
