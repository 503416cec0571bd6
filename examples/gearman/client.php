<?php
// A client of the function `reverse`: in the foreground, in the background, unique, and with an exception.

class Client
{
    private Stomp $stomp;
    private int $calls = 0;

    public function __construct()
    {
        $port = getenv('KOLEJKA_PORT') ?: 61613;
        $this->stomp = new Stomp("tcp://localhost:$port", '', '', ['accept-version' => '1.2']);
        $this->stomp->setReadTimeout(20);
        $this->stomp->subscribe('/temp-queue/results', ['id' => 'results', 'ack' => 'auto']);
    }

    /** Submits and returns at once; the token is the handle. Of several calls with one `$unique` only one is worked on. */
    public function doBackground(string $function, string $workload, string $unique = ''): string
    {
        $token = bin2hex(random_bytes(16));
        $headers = ['x-job-token' => $token, 'x-track' => 'result', 'x-max-deliveries' => '1', 'receipt' => $token];
        $headers += ['reply-to' => '/temp-queue/results', 'correlation-id' => (string) ++$this->calls];
        if ($unique !== '') {
            $headers['x-unique'] = $unique;
        }
        $this->stomp->send("/queue/$function", $workload, $headers);
        return $token;
    }

    /** Waits for the next result. */
    public function result(): string
    {
        $final = $this->stomp->readFrame();
        if ($final->headers['x-state'] === 'completed') {
            return $final->body;
        }
        $error = json_decode($final->body)->error;
        throw new RuntimeException("{$error->class}: {$error->message}");
    }

    public function doNormal(string $function, string $workload): string
    {
        $this->doBackground($function, $workload);
        return $this->result();
    }

    public function status(string $token): object
    {
        $this->stomp->send("/job/$token", '', ['x-event' => 'get', 'reply-to' => '/temp-queue/results']);
        return json_decode($this->stomp->readFrame()->body);
    }
}

$client = new Client();
echo "foreground: {$client->doNormal('reverse', 'Hello World!')}\n";

$token = $client->doBackground('reverse', 'Hello World!');
echo "background: {$client->result()}\n";
$status = $client->status($token);
echo "its status: {$status->state}, progress {$status->progress->num}/{$status->progress->den}\n";

try {
    $client->doNormal('reverse', '');
} catch (RuntimeException $e) {
    echo "exception: {$e->getMessage()}\n";
}
