import { AppShell, Burger, Group } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Suspense, useEffect, useRef } from 'react';
import { Outlet, ScrollRestoration, useLocation } from 'react-router';

import { AccountMenu } from './AccountMenu';
import { Brand } from './Brand';
import { ColorSchemeToggle } from './ColorSchemeToggle';
import { KEEPS_FOCUS } from './focus';
import { Navigation } from './Navigation';
import { PageSkeleton } from './PageSkeleton';
import classes from './Shell.module.css';

/** The frame every page stands in: navigation at the side, on a phone behind a button. */
export function Shell() {
  const [open, { toggle, close }] = useDisclosure(false);
  const main = useFocusOnNavigation();
  return (
    <AppShell
      layout="alt"
      header={{ height: { base: 60, sm: 0 } }}
      navbar={{ width: 244, breakpoint: 'sm', collapsed: { mobile: !open } }}
      transitionDuration={0}
      classNames={{ root: classes.root, main: classes.main }}
    >
      <a href="#main" className="skip-link">
        Skip to the content
      </a>
      <AppShell.Header hiddenFrom="sm" className={classes.header} px="md">
        <Group h="100%" justify="space-between">
          <Brand />
          <Burger opened={open} onClick={toggle} aria-label="Rooms and account" aria-expanded={open} />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} data-open={open}>
        <Group justify="space-between" mb={36}>
          <Brand />
          <Burger
            opened={open}
            onClick={toggle}
            hiddenFrom="sm"
            aria-label="Close"
            aria-expanded={open}
          />
        </Group>
        <AppShell.Section grow>
          <Navigation onNavigate={close} />
        </AppShell.Section>
        <AppShell.Section>
          <Group justify="space-between" wrap="nowrap">
            <AccountMenu />
            <ColorSchemeToggle />
          </Group>
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="main" ref={main} tabIndex={-1}>
        <div className={classes.page}>
          <Suspense fallback={<PageSkeleton />}>
            <Outlet />
          </Suspense>
        </div>
      </AppShell.Main>
      <ScrollRestoration />
    </AppShell>
  );
}

/** Moves the focus to the page after a link was followed, as a full page load would. */
function useFocusOnNavigation() {
  const location = useLocation();
  const { pathname } = location;
  const state: unknown = location.state;
  const main = useRef<HTMLElement>(null);
  const last = useRef(pathname);
  useEffect(() => {
    const stays = state === KEEPS_FOCUS;
    if (last.current !== pathname && !stays) main.current?.focus({ preventScroll: true });
    last.current = pathname;
  }, [pathname, state]);
  return main;
}
