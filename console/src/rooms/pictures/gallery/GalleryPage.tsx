import { Button, EmptyState, SimpleGrid, Skeleton, Stack, VisuallyHidden } from '@mantine/core';
import { IconPhotoScan, IconPhotoSearch } from '@tabler/icons-react';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';

import { FailureNotice } from '../../../app/FailureNotice';
import { NeedsSignIn } from '../../../app/NeedsSignIn';
import { PageHeader } from '../../../app/PageHeader';
import { AddPictures } from '../add/AddPictures';
import { Parcels } from '../add/Parcels';
import { Follow } from '../Follow';
import { outbox } from '../outbox';
import { spokenProgress } from '../steps';
import { put, refreshLists, type Upload, uploadList } from '../uploads';
import { Card } from './Card';
import { Filters, useFilter } from './Filters';

export function Component() {
  return (
    <>
      <PageHeader
        title="Pictures"
        lead="What is in a picture: the objects, the words, and the mood of the words. The place and the camera it was taken with are removed before it is kept."
      />
      <NeedsSignIn reason="Once you are signed in, pictures are read here in the background; only you can see yours.">
        <Pictures />
      </NeedsSignIn>
    </>
  );
}

function Pictures() {
  const client = useQueryClient();
  const accept = (upload: Upload) => {
    put(client, upload);
    void refreshLists(client);
  };
  return (
    <Stack gap={40}>
      <AddPictures onFiles={(files, find) => outbox.add(files, find, accept)} />
      <Parcels onAccepted={accept} />
      <Gallery />
    </Stack>
  );
}

function Gallery() {
  const [filter, setFilter] = useFilter();
  const { data, isPending, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } =
    useInfiniteQuery(uploadList(filter));
  const uploads = data?.pages.flatMap((page) => page.results) ?? [];
  const filtered = filter.state !== null || filter.label !== null;
  if (isPending) return <Waiting />;
  return (
    <Stack component="section" gap="lg" aria-label="Your pictures">
      <Follow uploads={uploads} />
      <VisuallyHidden role="status">
        {uploads.length === 0 || filtered ? '' : spokenProgress(uploads)}
      </VisuallyHidden>
      {(uploads.length > 0 || filtered) && (
        <Filters filter={filter} onChange={setFilter} uploads={uploads} />
      )}
      {error !== null && (
        <FailureNotice error={error} kept="Your pictures are kept." onRetry={() => void refetch()} />
      )}
      {uploads.length === 0 && error === null && <Nothing filtered={filtered} />}
      <SimpleGrid
        component="ul"
        cols={{ base: 2, sm: 3, lg: 4 }}
        spacing={{ base: 'sm', sm: 'lg' }}
        m={0}
        p={0}
        style={{ listStyle: 'none' }}
      >
        {uploads.map((upload) => (
          <Card key={upload.id} upload={upload} />
        ))}
      </SimpleGrid>
      {hasNextPage && (
        <Button
          variant="default"
          w="fit-content"
          loading={isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          Show earlier ones
        </Button>
      )}
    </Stack>
  );
}

function Waiting() {
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 4 }} aria-hidden="true">
      {[1, 2, 3, 4].map((place) => (
        <Skeleton key={place} h={200} radius="lg" />
      ))}
    </SimpleGrid>
  );
}

function Nothing({ filtered }: { readonly filtered: boolean }) {
  return filtered ? (
    <EmptyState
      py="lg"
      icon={<IconPhotoSearch stroke={1.4} />}
      title="No picture like that"
      description="Choose another state or another object above."
    />
  ) : (
    <EmptyState
      py="lg"
      icon={<IconPhotoScan stroke={1.4} />}
      title="No pictures yet"
      description="Drop one above, or try the sample: a shop window with words on it."
    />
  );
}
