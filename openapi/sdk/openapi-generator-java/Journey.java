import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.GiftCardsApi;
import org.openapitools.client.api.TokenApi;
import org.openapitools.client.model.BulkIssuanceSyncResponse;
import org.openapitools.client.model.BulkIssuanceTaskStatus;
import org.openapitools.client.model.BulkIssueGiftCardRequest;
import org.openapitools.client.model.CreateGiftCardRequest;
import org.openapitools.client.model.ErrorDetail;
import org.openapitools.client.model.GiftCardResponse;
import org.openapitools.client.model.GiftCardStatus;
import org.openapitools.client.model.HTTPValidationError;
import org.openapitools.client.model.Initialvalue;
import org.openapitools.client.model.ResponseBulkissuegiftcardsV2GiftcardsProgramsProgramidCardsBulkPost;
import org.openapitools.client.model.ValidationError;

/** Issues gift cards through the client that OpenAPI Generator's java makes. */
public class Journey {
  static final String PROGRAM = System.getenv("GIFTCARDS_PROGRAM_ID");
  static final ApiClient API = new ApiClient().setBasePath(System.getenv("GIFTCARDS_URL"));
  static final GiftCardsApi CARDS = new GiftCardsApi(API);
  static final TokenApi TOKENS = new TokenApi(API);

  public static void main(String[] args) {
    try {
      run();
    } catch (Throwable e) {
      System.err.println("error: " + e);
      System.exit(1);
    }
    System.exit(0); // okhttp's threads would keep the program alive
  }

  static void run() throws Exception {
    var token =
        TOKENS.loginForAccessTokenV2TokenPost(
            System.getenv("GIFTCARDS_USERNAME"), System.getenv("GIFTCARDS_PASSWORD"), null, null, null, null);
    API.setBearerToken(token.getAccessToken());
    passed("token");

    GiftCardResponse created = create("25.10");
    check("25.10".equals(created.getInitialValue()) && created.getStatus() == GiftCardStatus.PENDING, created);
    passed("create");

    try {
      create("0");
      throw new AssertionError("0 was accepted");
    } catch (ApiException refused) {
      check(refused.getCode() == 422, refused);
      ValidationError fault = HTTPValidationError.fromJson(refused.getResponseBody()).getDetail().get(0);
      check("initialValue".equals(fault.getLoc().get(1).getString()), fault);
      check("greater_than_equal".equals(fault.getType()), fault);
    }
    passed("refused");

    var few = bulk(50, null).getData().getActualInstance();
    check(few instanceof BulkIssuanceSyncResponse issued && issued.getCards().size() == 50, few);
    passed("bulk");

    String key = UUID.randomUUID().toString();
    var many = bulk(500, key);
    check(many.getStatusCode() == 202, many.getStatusCode());
    String taskId = many.getData().getBulkIssuanceAsyncResponse().getTaskId();
    passed("task");

    BulkIssuanceTaskStatus task = completed(taskId);
    check(task.getIssuedCount() == 500 && task.getCards().size() == 500, task.getIssuedCount());
    passed("poll");

    var replay = bulk(500, key);
    check(taskId.equals(replay.getData().getBulkIssuanceAsyncResponse().getTaskId()), replay.getData());
    check(Objects.equals(header(replay, "Idempotent-Replayed"), "true"), replay.getHeaders());
    passed("replay");

    String url = task.getCsvDownloadUrl();
    String csv = CARDS.downloadGiftCardsV2GiftcardsDownloadsLinkGet(url.substring(url.lastIndexOf('/') + 1));
    check(csv.lines().count() == 501, csv.lines().count());
    passed("csv");

    TOKENS.logoutV2TokenLogoutPost();
    try {
      TOKENS.getTokenInfoV2TokenGet();
      throw new AssertionError("a revoked token was accepted");
    } catch (ApiException stranger) {
      check(stranger.getCode() == 401, stranger);
      check(!ErrorDetail.fromJson(stranger.getResponseBody()).getDetail().isEmpty(), stranger);
    }
    passed("logout");
  }

  static GiftCardResponse create(String initialValue) throws ApiException {
    var card =
        new CreateGiftCardRequest()
            .initialValue(new Initialvalue(initialValue))
            .merchantId(System.getenv("GIFTCARDS_MERCHANT_ID"));
    return CARDS.createGiftCardV2GiftcardsProgramsProgramIdCardsPost(PROGRAM, card, null, null, null, null);
  }

  static ApiResponse<ResponseBulkissuegiftcardsV2GiftcardsProgramsProgramidCardsBulkPost> bulk(int count, String key)
      throws ApiException {
    var request = new BulkIssueGiftCardRequest().initialValue(new Initialvalue("10.00")).count(count);
    return CARDS.bulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostWithHttpInfo(
        PROGRAM, request, null, key, null, null);
  }

  static BulkIssuanceTaskStatus completed(String taskId) throws Exception {
    for (int polls = 0; polls < 30; polls++) {
      var answer =
          CARDS.pollBulkIssuanceV2GiftcardsProgramsProgramIdCardsBulkTaskIdGetWithHttpInfo(
              taskId, PROGRAM, null, null, null);
      String status = answer.getData().getStatus();
      check(!status.equals("failed"), status);
      if (status.equals("completed")) {
        return answer.getData();
      }
      Thread.sleep(Duration.ofSeconds(Long.parseLong(header(answer, "Retry-After"))).toMillis());
    }
    throw new AssertionError("the task is not done after 30 polls");
  }

  static String header(ApiResponse<?> answer, String name) {
    return answer.getHeaders().getOrDefault(name.toLowerCase(), List.of("")).get(0); // okhttp's names are lower case
  }

  static void check(boolean holds, Object found) {
    if (!holds) {
      throw new AssertionError(found);
    }
  }

  static void passed(String step) {
    System.out.println("passed " + step);
  }
}
