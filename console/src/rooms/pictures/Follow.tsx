import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

import { isRunning, put, type Upload } from './uploads';

/** A browser keeps six connections to a site over HTTP/1.1; the pictures need the others. */
const MOST = 2;

/** Hears of every change of the pictures being worked on, the ones whose turn is next first. */
export function Follow({ uploads }: { readonly uploads: readonly Upload[] }) {
  return uploads
    .filter(isRunning)
    .sort((one, other) => one.created_at.localeCompare(other.created_at))
    .slice(0, MOST)
    .map((upload) => <Listener key={upload.id} address={upload.links.events} />);
}

function Listener({ address }: { readonly address: string }) {
  const client = useQueryClient();
  useEffect(() => {
    const events = new EventSource(address);
    const tell = ({ data }: MessageEvent<string>) => put(client, JSON.parse(data) as Upload);
    events.addEventListener('progress', tell);
    events.addEventListener('done', (event: MessageEvent<string>) => {
      events.close();
      tell(event);
    });
    events.addEventListener('deleted', () => events.close());
    return () => events.close();
  }, [address, client]);
  return null;
}
