"""The least that a handler worker is: consume JSON, do the work, publish JSON, acknowledge."""
import json, os, time, urllib.request
import pika

HANDLER = {"description": "Reverses a text.", "config_schema": {"type": "object", "required": ["text"]}}

def register(name):
    """Makes the handler known and its queue exist; returns the queue's name."""
    headers = {"authorization": "Bearer " + os.environ["SIGNALBOX_ADMIN_KEY"], "content-type": "application/json"}
    url = os.environ["SIGNALBOX_API_URL"] + "/v1/handlers/" + name
    request = urllib.request.Request(url, json.dumps(HANDLER).encode(), headers, method="PUT")
    return json.load(urllib.request.urlopen(request))["queue"]

def work(invocation):
    started = time.monotonic()
    output = {"text": invocation["config"]["text"][::-1]}
    echoed = {key: invocation[key] for key in ("invocation_id", "attempt", "context")}
    return echoed | {"status": "succeeded", "output": output, "duration_ms": (time.monotonic() - started) * 1000}

def on_message(channel, method, properties, body):
    results = [work(invocation) for invocation in json.loads(body)]
    persistent = pika.BasicProperties(content_type="application/json", type="StepResult", delivery_mode=2)
    channel.basic_publish("", properties.reply_to, json.dumps(results), persistent, mandatory=True)
    channel.basic_ack(method.delivery_tag)

channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
channel.confirm_delivery()
channel.basic_qos(prefetch_count=16)
channel.basic_consume(register("reverse"), on_message)
channel.start_consuming()
