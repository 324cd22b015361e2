import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** Posts a body to each address, of stated length, chunked, and after 100 (Continue), with HTTP/2 where offered. */
class Writer {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();
        for (int n = 0; n < arguments.length; n += 3) {
            byte[] body = Files.readAllBytes(Path.of(arguments[n + 2]));
            HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create(arguments[n])).timeout(Duration.ofSeconds(20));
            for (String line : Files.readAllLines(Path.of(arguments[n + 1]))) {
                String[] header = line.split(": ", 2);
                request.header(header[0], header[1]);
            }
            var sized = HttpRequest.BodyPublishers.ofByteArray(body);
            var chunked = HttpRequest.BodyPublishers.fromPublisher(HttpRequest.BodyPublishers.ofByteArray(body));
            var waiting = request.copy().expectContinue(true);
            report("sized", client, request.POST(sized).build());
            report("chunked", client, request.POST(chunked).build());
            report("after 100", client, waiting.POST(sized).build());
        }
    }

    private static void report(String way, HttpClient client, HttpRequest request) throws Exception {
        HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(way + " " + answer.statusCode());
    }
}
