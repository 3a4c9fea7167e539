# One image for every service; the compose file says which one a container runs.
# The sources run as they are: Node strips the types.

FROM node:24.21.0-alpine AS dependencies
WORKDIR /app
# The versions come from the repository: pnpm's from package.json, everything else from the lockfile.
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages packages
COPY services services
RUN npm exec --yes --package="$(node -p 'require("./package.json").packageManager')" -- \
    pnpm install --prod --frozen-lockfile --ignore-scripts

FROM node:24.21.0-alpine
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies --chown=node:node /app ./
USER node
# A service's own port is in its configuration: docs/configuration.md.
CMD ["node", "services/standalone/src/main.ts"]
