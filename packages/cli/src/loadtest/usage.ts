/** What `signalbox loadtest --help` says. */
export const LOADTEST_USAGE = `Usage: signalbox loadtest (--up | --amqp-url <url> --redis-url <url> …) [options]

Publishes events at a constant rate, whatever the system does, to handlers and to WebSocket subscribers at once, and
accounts for every one of them. Latencies count from the time at which an event should have been sent.

The load
  --rate <n>              events per second, 1 to 20000 (default 200)
  --duration <time>       how long to publish, 1s to 60m (default 10s)
  --chain-length <n>      steps of the chain that each event runs, 1 to 10 (default 2)
  --handler-time <time>   how long each step's handler takes, up to 10s (default 0s)
  --accounts <n>          1 to 1000 (default 4)
  --conversations <n>     1 to 100000 (default 100)
  --subscribers <n>       WebSockets, 0 to 10000 (default 20)
  --payload-bytes <n>     filling of each event, 0 to 100000 (default 200)
  --via amqp|http         how events are published (default amqp)
  --late <time>           what takes longer counts as late (default 1s)
  --drain <time>          how long to wait for what is still missing, 1s to 5m (default 30s)
  --workers <n>           processes of the counting handler, 1 to 16 (default 1)

The system: its own, gone afterwards
  --up                    start a private RabbitMQ and Redis and the services
  --dispatchers <n>       1 to 16 (default 1)
  --edges <n>             1 to 16 (default 1)
  --cluster 3             three RabbitMQ nodes behind one address, instead of one node
  --fault "<fault>"       repeatable: <verb> <target> at <time> for <time>
                          or <verb> <target>,… every <time> [from <time>] for <time>, until the load ends
                          verb: kill (SIGKILL), stop (SIGTERM), pause (SIGSTOP)
                          target: rabbitmq, redis, dispatcher, worker, edge; of several, each in turn,
                          or one of them by its number, as rabbitmq:2

The system: one that runs already
  --amqp-url <url>        or AMQP_URL
  --redis-url <url>       or REDIS_URL
  --namespace <name>      or SIGNALBOX_NAMESPACE (default signalbox)
  --edge-url <url>        repeatable; needed for subscribers (default ws://127.0.0.1:8081)
  --api-url <url>         needed for --via http (default http://127.0.0.1:8080)
  --admin-key <key>       or SIGNALBOX_ADMIN_KEY; for --via http, and for tokens when there is no secret
  --token-secret <text>   or SIGNALBOX_TOKEN_SECRET; signs the subscribers' tokens
  --allow-remote          also addresses that are not loopback: a load test is no guest

The report
  --html <file>           as a page, with plots
  --json <file>           as JSON
  --help

Exit codes: 0 all accounted for, 1 events were lost or the run failed, 2 the command line is wrong.`
