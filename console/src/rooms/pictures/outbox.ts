/** Files on their way to the server. They go on while the person looks at other pages. */

import { useSyncExternalStore } from 'react';

import { asFailure, type Failure } from '../../server/problem';
import type { Find } from './find';
import { send } from './send';
import type { Upload } from './uploads';

const AT_ONCE = 2;
const MAX_TRIES = 6;

export interface Parcel {
  readonly id: number;
  readonly file: File;
  readonly key: string;
  /** What it is looked at for. */
  readonly find: readonly Find[];
  /** 0 to 1. */
  readonly share: number;
  /** Why it was not taken, once that is certain. */
  readonly failure: Failure | null;
}

type Transport = typeof send;
type Wait = (seconds: number) => Promise<void>;

const pause: Wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

export class Outbox {
  #parcels: readonly Parcel[] = [];
  #listeners = new Set<() => void>();
  #waiting: { readonly id: number; readonly onAccepted: (upload: Upload) => void }[] = [];
  #underWay = 0;
  #next = 1;

  constructor(
    private readonly transport: Transport = send,
    private readonly wait: Wait = pause,
  ) {}

  readonly parcels = (): readonly Parcel[] => this.#parcels;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  add(
    files: readonly File[],
    find: readonly Find[],
    onAccepted: (upload: Upload) => void,
  ): void {
    const added = files.map((file) => ({
      id: this.#next++,
      file,
      key: randomKey(),
      find,
      share: 0,
      failure: null,
    }));
    this.#set([...this.#parcels, ...added]);
    this.#waiting.push(...added.map(({ id }) => ({ id, onAccepted })));
    this.#fill();
  }

  retry(id: number, onAccepted: (upload: Upload) => void): void {
    this.#change(id, { failure: null, share: 0 });
    this.#waiting.push({ id, onAccepted });
    this.#fill();
  }

  dismiss(id: number): void {
    this.#set(this.#parcels.filter((parcel) => parcel.id !== id));
  }

  #fill(): void {
    while (this.#underWay < AT_ONCE) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#underWay += 1;
      void this.#deliver(next.id, next.onAccepted).finally(() => {
        this.#underWay -= 1;
        this.#fill();
      });
    }
  }

  async #deliver(id: number, onAccepted: (upload: Upload) => void): Promise<void> {
    const parcel = this.#parcels.find((other) => other.id === id);
    if (parcel === undefined) return;
    try {
      const upload = await this.#stubbornly(parcel);
      this.dismiss(id);
      onAccepted(upload);
    } catch (error) {
      this.#change(id, { failure: asFailure(error) });
    }
  }

  /** A server that is away for a moment is asked again; its answer may be all that was lost. */
  async #stubbornly({ id, file, key, find }: Parcel): Promise<Upload> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.transport({
          file,
          key,
          find,
          onProgress: (share) => this.#change(id, { share }),
        });
      } catch (error) {
        const failure = asFailure(error);
        if (!failure.passing || tries === MAX_TRIES) throw failure;
        await this.wait(failure.retryAfterS ?? Math.min(2 ** tries, 15));
      }
    }
  }

  #change(id: number, change: Partial<Parcel>): void {
    this.#set(this.#parcels.map((parcel) => (parcel.id === id ? { ...parcel, ...change } : parcel)));
  }

  #set(parcels: readonly Parcel[]): void {
    this.#parcels = parcels;
    for (const listener of this.#listeners) listener();
  }
}

/** Unlike `crypto.randomUUID`, also there on a page that was not served over HTTPS. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const outbox = new Outbox();

export function useParcels(): readonly Parcel[] {
  return useSyncExternalStore(outbox.subscribe, outbox.parcels);
}
