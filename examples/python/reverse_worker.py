"""A handler worker with nothing of Signalbox in it: consume JSON, do the work, publish JSON, acknowledge."""
import json, os, signal, time, urllib.request
import pika

HANDLER = {"description": "Reverses a text.",
           "config_schema": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}}

def register(name):
    """Makes the handler known and its queue exist; returns the queue's name."""
    headers = {"authorization": "Bearer " + os.environ["SIGNALBOX_ADMIN_KEY"], "content-type": "application/json"}
    url = os.environ["SIGNALBOX_API_URL"] + "/v1/handlers/" + name
    request = urllib.request.Request(url, json.dumps(HANDLER).encode(), headers, method="PUT")
    return json.load(urllib.request.urlopen(request))["queue"]

def work(invocation):
    started = time.monotonic()
    text = invocation["config"].get("text")
    if isinstance(text, str):
        outcome = {"status": "succeeded", "output": {"text": text[::-1]}}
    else:
        outcome = {"status": "failed", "error": {"code": "BAD_CONFIG", "message": "text: must be a text", "retryable": False}}
    echoed = {key: invocation[key] for key in ("invocation_id", "attempt", "context")}
    return echoed | outcome | {"duration_ms": (time.monotonic() - started) * 1000}

def on_message(channel, method, properties, body):
    try:
        results = [work(invocation) for invocation in json.loads(body) or [None]]
    except (AttributeError, KeyError, TypeError, ValueError):  # not invocations: the broker keeps it as a dead letter
        return channel.basic_reject(method.delivery_tag, requeue=False)
    persistent = pika.BasicProperties(content_type="application/json", type="StepResult", delivery_mode=2)
    channel.basic_publish("", properties.reply_to, json.dumps(results), persistent, mandatory=True)
    channel.basic_ack(method.delivery_tag)

def consume(queue):
    """Returns after SIGTERM, when what is in hand is done; raises when the connection is lost or an answer refused."""
    with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
        channel = connection.channel()
        signal.signal(signal.SIGTERM, lambda *_: connection.add_callback_threadsafe(channel.stop_consuming))
        channel.confirm_delivery()
        channel.basic_qos(prefetch_count=16)
        channel.basic_consume(queue, on_message)
        channel.start_consuming()

while True:
    try:
        consume(register("reverse"))
        break
    except pika.exceptions.AMQPError:
        time.sleep(1)
