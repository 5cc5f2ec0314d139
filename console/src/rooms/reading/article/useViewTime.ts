import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

import { forgetLists, tellViewTime } from '../reading';
import { ViewClock } from './viewTime';

/** Measures how long a text is in sight and tells the server when the reader turns away: to another
 * tab, another page, or for good. */
export function useViewTime(id: string, impression: string | null): void {
  const client = useQueryClient();
  useEffect(() => {
    const clock = new ViewClock(document.visibilityState === 'visible');
    const tell = (): Promise<void> => {
      const seconds = clock.worthTelling();
      return seconds === null ? Promise.resolve() : tellViewTime(id, seconds, impression);
    };
    const turn = () => {
      if (document.visibilityState === 'visible') {
        clock.show();
        return;
      }
      clock.hide();
      void tell();
    };
    const leave = () => void tell();
    document.addEventListener('visibilitychange', turn);
    window.addEventListener('pagehide', leave);
    return () => {
      document.removeEventListener('visibilitychange', turn);
      window.removeEventListener('pagehide', leave);
      void tell().then(() => forgetLists(client));
    };
  }, [id, impression, client]);
}
