import { Skeleton, Stack, VisuallyHidden } from '@mantine/core';

/** What stands where a page will be, while it loads. */
export function PageSkeleton() {
  return (
    <Stack gap="lg" aria-busy="true">
      <VisuallyHidden>Loading</VisuallyHidden>
      <Skeleton h={44} w="min(100%, 380px)" />
      <Skeleton h={20} w="min(100%, 560px)" />
      <Skeleton h={220} mt="md" radius="lg" />
    </Stack>
  );
}
