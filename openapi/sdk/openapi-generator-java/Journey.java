import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.GiftCardsApi;
import org.openapitools.client.api.TokenApi;
import org.openapitools.client.model.ActivateGiftCardRequest;
import org.openapitools.client.model.Amount;
import org.openapitools.client.model.Amount2;
import org.openapitools.client.model.BulkIssuanceSyncResponse;
import org.openapitools.client.model.BulkIssuanceTaskStatus;
import org.openapitools.client.model.BulkIssueGiftCardRequest;
import org.openapitools.client.model.CreateGiftCardRequest;
import org.openapitools.client.model.ErrorDetail;
import org.openapitools.client.model.GiftCardResponse;
import org.openapitools.client.model.GiftCardStatus;
import org.openapitools.client.model.GiftCardTransactionType;
import org.openapitools.client.model.HTTPValidationError;
import org.openapitools.client.model.Initialvalue;
import org.openapitools.client.model.RedeemRequest;
import org.openapitools.client.model.RedeemResponse;
import org.openapitools.client.model.RefundTransactionRequest;
import org.openapitools.client.model.ReloadRequest;
import org.openapitools.client.model.ResponseBulkissuegiftcardsV2GiftcardsProgramsProgramidCardsBulkPost;
import org.openapitools.client.model.TransferBalanceRequest;
import org.openapitools.client.model.ValidationError;

/** Issues and uses gift cards through the client that OpenAPI Generator's java makes. */
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

    use(created.getId());

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

    // Only the CSV has the security code that a transfer asks for.
    String[] first = csv.lines().toList().get(1).split(",");
    transfer(first[4], first[1], created.getCardNumber());
    find(created);

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

  /** Activates a card of 25.10, takes money from it, gives it back and adds 5.00. */
  static void use(String id) throws Exception {
    GiftCardResponse active = activate(id);
    check("25.10".equals(active.getBalance()) && active.getStatus() == GiftCardStatus.ACTIVE, active);
    passed("activate");

    var details = CARDS.getGiftCardDetailsV2GiftcardsProgramsProgramIdCardsCardIdGet(PROGRAM, id, true, null, null);
    check(details.getTransactions().get(0).getTransactionType() == GiftCardTransactionType.ACTIVATION, details);
    passed("details");

    RedeemResponse redeemed = redeem(id, "10.00");
    check("15.10".equals(redeemed.getRemainingBalance()), redeemed);
    passed("redeem");

    try {
      redeem(id, "15.11");
      throw new AssertionError("more than the balance was taken");
    } catch (ApiException tooMuch) {
      check(tooMuch.getCode() == 400, tooMuch);
      String detail = ErrorDetail.fromJson(tooMuch.getResponseBody()).getDetail();
      check("Insufficient gift card balance".equals(detail), detail);
    }
    passed("insufficient");

    // A refund without an amount gives all of it back.
    var refunded =
        CARDS.refundGiftCardTransactionV2GiftcardsProgramsProgramIdCardsCardIdTransactionsTransactionIdRefundPost(
            redeemed.getTransactionId(), PROGRAM, id, new RefundTransactionRequest(), null, null, null);
    check("25.10".equals(refunded.getRemainingBalance()), refunded);
    passed("refund");

    var reload = new ReloadRequest().amount(new Amount2("5.00"));
    GiftCardResponse reloaded =
        CARDS.reloadGiftCardV2GiftcardsProgramsProgramIdCardsCardIdReloadPost(PROGRAM, id, reload, null, null, null);
    check("30.10".equals(reloaded.getBalance()), reloaded);
    passed("reload");
  }

  static GiftCardResponse activate(String id) throws ApiException {
    return CARDS.activateGiftCardV2GiftcardsProgramsProgramIdCardsCardIdActivatePost(
        PROGRAM, id, new ActivateGiftCardRequest(), null, null, null);
  }

  static RedeemResponse redeem(String id, String amount) throws ApiException {
    var request = new RedeemRequest().amount(new Amount(amount));
    return CARDS.redeemGiftCardV2GiftcardsProgramsProgramIdCardsCardIdRedeemPost(
        PROGRAM, id, request, null, null, null);
  }

  /** Activates a card of 10.00 and moves 4.90 of it to the card with the number. */
  static void transfer(String id, String code, String number) throws Exception {
    activate(id);
    var request =
        new TransferBalanceRequest().securityCode(code).destinationCardNumber(number).amount(new Amount2("4.90"));
    var moved =
        CARDS.transferGiftCardBalanceV2GiftcardsProgramsProgramIdCardsCardIdTransferPost(
            PROGRAM, id, request, null, null, null);
    check("5.10".equals(moved.getSourceCard().getRemainingBalance()), moved);
    check("35.00".equals(moved.getDestinationCard().getNewBalance()), moved);
    passed("transfer");
  }

  /** Looks for the card among the active ones and by its number. */
  static void find(GiftCardResponse card) throws Exception {
    var listed =
        CARDS.getGiftCardsV2GiftcardsProgramsCardsGet(
            null, GiftCardStatus.ACTIVE, null, PROGRAM, null, null, null, null, null, null, null, null);
    check(listed.stream().anyMatch(listedCard -> listedCard.getId().equals(card.getId())), listed);
    passed("list");

    var found =
        CARDS.searchGiftCardsV2GiftcardsProgramsProgramIdSearchGet(
            PROGRAM, null, null, card.getCardNumber(), null, null, null, null, null, null);
    check(found.size() == 1 && "35.00".equals(found.get(0).getBalance()), found);
    passed("search");
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
