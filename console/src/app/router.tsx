import { createBrowserRouter, type RouteObject } from 'react-router';

import { rooms } from '../rooms/registry';
import { ErrorPage, NotFoundPage } from './ErrorPage';
import { PageSkeleton } from './PageSkeleton';
import { Shell } from './Shell';

const roomRoutes: RouteObject[] = rooms.map((room) => ({ path: room.path, children: room.routes }));

export const router = createBrowserRouter([
  {
    path: '/',
    element: <Shell />,
    hydrateFallbackElement: <PageSkeleton />,
    errorElement: <ErrorPage />,
    children: [
      {
        errorElement: <ErrorPage />,
        children: [
          { index: true, lazy: () => import('../landing/LandingPage') },
          { path: 'sign-in', lazy: () => import('./SignInPage') },
          ...roomRoutes,
          { path: '*', element: <NotFoundPage /> },
        ],
      },
    ],
  },
]);
