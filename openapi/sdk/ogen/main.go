// Program journey issues and uses gift cards with the client that ogen generates.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"journey/client"
)

func main() {
	log.SetFlags(0)
	if err := journey(context.Background()); err != nil {
		log.Fatalln("error:", err)
	}
}

// bearer gives the client the token. It is empty before the login.
type bearer struct{ token string }

func (b *bearer) BearerAuth(context.Context, client.OperationName) (client.BearerAuth, error) {
	return client.BearerAuth{Token: b.token}, nil
}

func journey(ctx context.Context) error {
	auth := &bearer{}
	giftcards, err := client.NewClient(os.Getenv("GIFTCARDS_URL"), auth)
	if err != nil {
		return err
	}
	program := client.PydanticObjectId(os.Getenv("GIFTCARDS_PROGRAM_ID"))

	login, err := giftcards.LoginForAccessTokenV2TokenPost(ctx, &client.BodyLoginForAccessTokenV2TokenPost{
		Username: os.Getenv("GIFTCARDS_USERNAME"), Password: os.Getenv("GIFTCARDS_PASSWORD"),
	})
	if err != nil {
		return err
	}
	token, ok := login.(*client.OAuth2Token)
	if !ok || !token.AccessToken.Value.IsString() {
		return fmt.Errorf("login: %T", login)
	}
	auth.token = token.AccessToken.Value.String
	passed("token")

	params := client.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPostParams{ProgramId: program}
	card := &client.CreateGiftCardRequest{
		MerchantId:   client.PydanticObjectId(os.Getenv("GIFTCARDS_MERCHANT_ID")),
		InitialValue: client.NewStringCreateGiftCardRequestInitialValue("25.10"),
	}
	answer, err := giftcards.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPost(ctx, card, params)
	if err != nil {
		return err
	}
	created, ok := answer.(*client.GiftCardResponseHeaders)
	if !ok || created.Response.InitialValue != "25.10" || created.Response.Status != client.GiftCardStatusPending {
		return fmt.Errorf("create: %T", answer)
	}
	passed("create")

	// A refusal is not an error of the client but one of the answer's types.
	card.InitialValue = client.NewStringCreateGiftCardRequestInitialValue("0")
	answer, err = giftcards.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPost(ctx, card, params)
	if err != nil {
		return err
	}
	refused, ok := answer.(*client.HTTPValidationError)
	if !ok || len(refused.Detail) != 1 {
		return fmt.Errorf("refused: %T", answer)
	}
	fault := refused.Detail[0]
	if field := fault.Loc[len(fault.Loc)-1].String; field != "initialValue" || fault.Type != "greater_than_equal" {
		return fmt.Errorf("refused: %s at %s", fault.Type, field)
	}
	passed("refused")

	if err := use(ctx, giftcards, program, created.Response.ID); err != nil {
		return err
	}

	bulkParams := client.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostParams{ProgramId: program}
	few, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPost(ctx, bulk(50), bulkParams)
	if err != nil {
		return err
	}
	issued, ok := few.(*client.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostCreatedHeaders)
	if !ok || !issued.Response.IsBulkIssuanceSyncResponse() || len(issued.Response.BulkIssuanceSyncResponse.Cards) != 50 {
		return fmt.Errorf("bulk: %T", few)
	}
	passed("bulk")

	// Above the threshold of 50 cards the same operation answers 202 with a task.
	bulkParams.IdempotencyKey = client.NewOptString(fmt.Sprint("journey-", time.Now().UnixNano()))
	many, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPost(ctx, bulk(500), bulkParams)
	if err != nil {
		return err
	}
	accepted, ok := many.(*client.BulkIssuanceAsyncResponseHeaders)
	if !ok || accepted.Response.TaskId == "" || accepted.Location == "" {
		return fmt.Errorf("task: %T", many)
	}
	passed("task")

	task, err := completed(ctx, giftcards, program, accepted.Response.TaskId)
	if err != nil {
		return err
	}
	if task.IssuedCount.Value.Int != 500 || len(task.Cards.Value.BulkIssuedCardSummaryArray) != 500 {
		return fmt.Errorf("poll: not 500 cards")
	}
	passed("poll")

	// The same key and body must return the same task.
	again, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPost(ctx, bulk(500), bulkParams)
	if err != nil {
		return err
	}
	replay, ok := again.(*client.BulkIssuanceAsyncResponseHeaders)
	if !ok || replay.Response.TaskId != accepted.Response.TaskId || !replay.IdempotentReplayed.Set {
		return fmt.Errorf("replay: %T", again)
	}
	passed("replay")

	file, err := giftcards.DownloadGiftCardsV2GiftcardsDownloadsLinkGet(ctx, client.DownloadGiftCardsV2GiftcardsDownloadsLinkGetParams{
		Link: path.Base(task.CsvDownloadUrl.Value.String),
	})
	if err != nil {
		return err
	}
	csv, ok := file.(*client.DownloadGiftCardsV2GiftcardsDownloadsLinkGetOKHeaders)
	if !ok {
		return fmt.Errorf("csv: %T", file)
	}
	text, err := io.ReadAll(csv.Response)
	if err != nil {
		return err
	}
	if lines := strings.Count(string(text), "\n"); lines != 501 {
		return fmt.Errorf("csv: %d lines", lines)
	}
	passed("csv")

	// Only the CSV has the security code that a transfer asks for.
	first := strings.Split(strings.Split(string(text), "\r\n")[1], ",")
	if err := transfer(ctx, giftcards, program, client.PydanticObjectId(first[4]), first[1], created.Response.CardNumber); err != nil {
		return err
	}
	if err := find(ctx, giftcards, program, created.Response); err != nil {
		return err
	}

	if _, err := giftcards.LogoutV2TokenLogoutPost(ctx); err != nil {
		return err
	}
	info, err := giftcards.GetTokenInfoV2TokenGet(ctx)
	if err != nil {
		return err
	}
	if stranger, ok := info.(*client.GetTokenInfoV2TokenGetUnauthorized); !ok || stranger.Detail == "" {
		return fmt.Errorf("logout: %T", info)
	}
	passed("logout")
	return nil
}

// use activates a card of 25.10, takes money from it, gives it back and adds 5.00.
func use(ctx context.Context, giftcards *client.Client, program, id client.PydanticObjectId) error {
	active, err := activate(ctx, giftcards, program, id)
	if err != nil {
		return err
	}
	if active.Balance != "25.10" || active.Status != client.GiftCardStatusActive {
		return fmt.Errorf("activate: %s %s", active.Balance, active.Status)
	}
	passed("activate")

	details, err := giftcards.GetGiftCardDetailsV2GiftcardsProgramsProgramIdCardsCardIdGet(ctx, client.GetGiftCardDetailsV2GiftcardsProgramsProgramIdCardsCardIdGetParams{
		ProgramId: program, CardId: id, IncludeTransactions: client.NewOptBool(true),
	})
	if err != nil {
		return err
	}
	card, ok := details.(*client.GiftCardDetailsResponse)
	if !ok {
		return fmt.Errorf("details: %T", details)
	}
	entries := card.Transactions.Value.GiftCardTransactionResponseArray
	if len(entries) != 1 || entries[0].TransactionType != client.GiftCardTransactionTypeACTIVATION {
		return fmt.Errorf("details: %d entries", len(entries))
	}
	passed("details")

	answer, err := redeem(ctx, giftcards, program, id, "10.00")
	if err != nil {
		return err
	}
	redeemed, ok := answer.(*client.RedeemResponseHeaders)
	if !ok || redeemed.Response.RemainingBalance != "15.10" {
		return fmt.Errorf("redeem: %T", answer)
	}
	passed("redeem")

	answer, err = redeem(ctx, giftcards, program, id, "15.11")
	if err != nil {
		return err
	}
	tooMuch, ok := answer.(*client.RedeemGiftCardV2GiftcardsProgramsProgramIdCardsCardIdRedeemPostBadRequest)
	if !ok || tooMuch.Detail != "Insufficient gift card balance" {
		return fmt.Errorf("insufficient: %T", answer)
	}
	passed("insufficient")

	// A refund without an amount gives all of it back.
	refund, err := giftcards.RefundGiftCardTransactionV2GiftcardsProgramsProgramIdCardsCardIdTransactionsTransactionIdRefundPost(ctx, &client.RefundTransactionRequest{},
		client.RefundGiftCardTransactionV2GiftcardsProgramsProgramIdCardsCardIdTransactionsTransactionIdRefundPostParams{
			ProgramId: program, CardId: id, TransactionId: redeemed.Response.TransactionId,
		})
	if err != nil {
		return err
	}
	if refunded, ok := refund.(*client.RefundTransactionResponseHeaders); !ok || refunded.Response.RemainingBalance != "25.10" {
		return fmt.Errorf("refund: %T", refund)
	}
	passed("refund")

	reload, err := giftcards.ReloadGiftCardV2GiftcardsProgramsProgramIdCardsCardIdReloadPost(ctx,
		&client.ReloadRequest{Amount: client.NewStringReloadRequestAmount("5.00")},
		client.ReloadGiftCardV2GiftcardsProgramsProgramIdCardsCardIdReloadPostParams{ProgramId: program, CardId: id})
	if err != nil {
		return err
	}
	if reloaded, ok := reload.(*client.GiftCardResponseHeaders); !ok || reloaded.Response.Balance != "30.10" {
		return fmt.Errorf("reload: %T", reload)
	}
	passed("reload")
	return nil
}

func activate(ctx context.Context, giftcards *client.Client, program, id client.PydanticObjectId) (*client.GiftCardResponse, error) {
	answer, err := giftcards.ActivateGiftCardV2GiftcardsProgramsProgramIdCardsCardIdActivatePost(ctx, &client.ActivateGiftCardRequest{},
		client.ActivateGiftCardV2GiftcardsProgramsProgramIdCardsCardIdActivatePostParams{ProgramId: program, CardId: id})
	if err != nil {
		return nil, err
	}
	active, ok := answer.(*client.GiftCardResponseHeaders)
	if !ok {
		return nil, fmt.Errorf("activate: %T", answer)
	}
	return &active.Response, nil
}

func redeem(ctx context.Context, giftcards *client.Client, program, id client.PydanticObjectId, amount string) (client.RedeemGiftCardV2GiftcardsProgramsProgramIdCardsCardIdRedeemPostRes, error) {
	return giftcards.RedeemGiftCardV2GiftcardsProgramsProgramIdCardsCardIdRedeemPost(ctx,
		&client.RedeemRequest{Amount: client.NewStringRedeemRequestAmount(amount)},
		client.RedeemGiftCardV2GiftcardsProgramsProgramIdCardsCardIdRedeemPostParams{ProgramId: program, CardId: id})
}

// transfer activates a card of 10.00 and moves 4.90 of it to the card with the number.
func transfer(ctx context.Context, giftcards *client.Client, program, id client.PydanticObjectId, code, number string) error {
	if _, err := activate(ctx, giftcards, program, id); err != nil {
		return err
	}
	answer, err := giftcards.TransferGiftCardBalanceV2GiftcardsProgramsProgramIdCardsCardIdTransferPost(ctx, &client.TransferBalanceRequest{
		SecurityCode: code, DestinationCardNumber: number, Amount: client.NewStringTransferBalanceRequestAmount("4.90"),
	}, client.TransferGiftCardBalanceV2GiftcardsProgramsProgramIdCardsCardIdTransferPostParams{ProgramId: program, CardId: id})
	if err != nil {
		return err
	}
	moved, ok := answer.(*client.TransferBalanceResponseHeaders)
	if !ok || moved.Response.SourceCard.RemainingBalance != "5.10" || moved.Response.DestinationCard.NewBalance != "35.00" {
		return fmt.Errorf("transfer: %T", answer)
	}
	passed("transfer")
	return nil
}

// find looks for the card among the active ones and by its number.
func find(ctx context.Context, giftcards *client.Client, program client.PydanticObjectId, card client.GiftCardResponse) error {
	list, err := giftcards.GetGiftCardsV2GiftcardsProgramsCardsGet(ctx, client.GetGiftCardsV2GiftcardsProgramsCardsGetParams{
		ProgramId: client.NewOptPydanticObjectId(program), Status: client.NewOptGiftCardStatus(client.GiftCardStatusActive),
	})
	if err != nil {
		return err
	}
	hasID := func(listed client.GiftCardResponse) bool { return listed.ID == card.ID }
	if listed, ok := list.(*client.GetGiftCardsV2GiftcardsProgramsCardsGetOKHeaders); !ok || !slices.ContainsFunc(listed.Response, hasID) {
		return fmt.Errorf("list: %T", list)
	}
	passed("list")

	search, err := giftcards.SearchGiftCardsV2GiftcardsProgramsProgramIdSearchGet(ctx, client.SearchGiftCardsV2GiftcardsProgramsProgramIdSearchGetParams{
		ProgramId: program, Q: client.NewOptString(card.CardNumber),
	})
	if err != nil {
		return err
	}
	found, ok := search.(*client.SearchGiftCardsV2GiftcardsProgramsProgramIdSearchGetOKHeaders)
	if !ok || len(found.Response) != 1 || found.Response[0].Balance != "35.00" {
		return fmt.Errorf("search: %T", search)
	}
	passed("search")
	return nil
}

func bulk(count int) *client.BulkIssueGiftCardRequest {
	return &client.BulkIssueGiftCardRequest{
		InitialValue: client.NewStringBulkIssueGiftCardRequestInitialValue("10.00"),
		Count:        client.NewOptBulkIssueGiftCardRequestCount(client.NewIntBulkIssueGiftCardRequestCount(count)),
	}
}

func completed(ctx context.Context, giftcards *client.Client, program client.PydanticObjectId, id string) (*client.BulkIssuanceTaskStatus, error) {
	for range 30 {
		answer, err := giftcards.PollBulkIssuanceV2GiftcardsProgramsProgramIdCardsBulkTaskIdGet(ctx,
			client.PollBulkIssuanceV2GiftcardsProgramsProgramIdCardsBulkTaskIdGetParams{ProgramId: program, TaskId: id})
		if err != nil {
			return nil, err
		}
		polled, ok := answer.(*client.BulkIssuanceTaskStatusHeaders)
		switch {
		case !ok:
			return nil, fmt.Errorf("poll: %T", answer)
		case polled.Response.Status == "completed":
			return &polled.Response, nil
		case polled.Response.Status == "failed" || !polled.RetryAfter.Set:
			return nil, fmt.Errorf("poll: the task is %s", polled.Response.Status)
		}
		// The server says when to poll again.
		time.Sleep(time.Duration(polled.RetryAfter.Value) * time.Second)
	}
	return nil, fmt.Errorf("poll: the task is not done after 30 polls")
}

func passed(step string) { fmt.Println("passed", step) }
