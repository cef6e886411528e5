import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests of a till against a sandbox. Each test has a world of its own. */
class TillTest {
  static final String URL = Objects.requireNonNullElse(System.getenv("GIFTCARDS_SANDBOX_URL"), "http://127.0.0.1:8080");
  static final HttpClient CLIENT = HttpClient.newHttpClient();
  final String world = "junit-" + UUID.randomUUID();
  String token = "";
  String card;

  /** The code under test: it retries under the same key, and waits as it is told. */
  HttpResponse<String> redeem(String amount, String header, String value) throws Exception {
    var key = UUID.randomUUID().toString();
    for (int attempt = 0; attempt < 3; attempt++) {
      // Only the first attempt meets the trouble that the test asks for.
      var headers = attempt > 0 || header == null ? List.of("Idempotency-Key", key) : List.of("Idempotency-Key", key, header, value);
      try {
        var answer = ask("POST", card + "/redeem", "{\"amount\": \"" + amount + "\"}", headers);
        if (answer.statusCode() != 429 && answer.statusCode() != 503) {
          return answer;
        }
        Thread.sleep(1000 * answer.headers().firstValueAsLong("Retry-After").orElse(1));
      } catch (IOException e) {
        // Nobody knows whether the money moved.
      }
    }
    throw new IOException("no answer to three attempts");
  }

  HttpResponse<String> ask(String method, String path, String body, List<String> headers) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(URL + path)).method(method, HttpRequest.BodyPublishers.ofString(body));
    request.headers("Content-Type", "application/json", "Authorization", "Bearer " + token);
    if (!headers.isEmpty()) {
      request.headers(headers.toArray(String[]::new));
    }
    return CLIENT.send(request.build(), BodyHandlers.ofString());
  }

  /** Returns the values of a property in a JSON text; take a library for more than this. */
  static List<String> values(String json, String name) {
    return Pattern.compile("\"" + name + "\":\\s*\"([^\"]*)\"").matcher(json).results().map(m -> m.group(1)).toList();
  }

  void activeCard() throws Exception {
    var made = ask("POST", "/sandbox/states?world=" + world, "{\"state\": \"an active card\"}", List.of()).body();
    token = values(made, "token").get(0);
    card = "/v2/giftcards/programs/" + values(made, "programId").get(0) + "/cards/" + values(made, "cardId").get(0);
  }

  @AfterEach
  void forget() throws Exception {
    ask("DELETE", "/sandbox/worlds/" + world, "", List.of());
  }

  @ParameterizedTest
  @CsvSource({"Sandbox-Fault,lost-answer", "Sandbox-Fault,down", "Prefer,code=429"})
  void aRetryRedeemsOnce(String header, String value) throws Exception {
    activeCard();
    assertEquals(List.of("20.00"), values(redeem("5.00", header, value).body(), "remainingBalance"));
    var asked = values(ask("GET", "/sandbox/requests?operation=redeemGiftCard&world=" + world, "", List.of()).body(), "idempotencyKey");
    assertEquals(2, asked.size());
    assertEquals(asked.get(0), asked.get(1));
  }

  @Test
  void aCardThatHasExpiredByThen() throws Exception {
    activeCard();
    assertEquals(List.of("Gift card has expired"), values(redeem("5.00", "Sandbox-Now", "2090-01-01T00:00:00Z").body(), "detail"));
    assertEquals(200, redeem("5.00", null, null).statusCode());
  }
}
