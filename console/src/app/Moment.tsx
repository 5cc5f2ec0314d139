import { ago, exactly } from '../format/dates';

/** A moment relative to now, with the exact one a hover away. */
export function Moment({ iso }: { readonly iso: string }) {
  return (
    <time dateTime={iso} title={exactly(iso)}>
      {ago(iso)}
    </time>
  );
}
