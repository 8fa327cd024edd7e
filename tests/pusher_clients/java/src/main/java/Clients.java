import com.pusher.client.Pusher;
import com.pusher.client.PusherOptions;
import com.pusher.client.channel.PresenceChannelEventListener;
import com.pusher.client.channel.PrivateChannel;
import com.pusher.client.channel.PrivateEncryptedChannelEventListener;
import com.pusher.client.channel.PusherEvent;
import com.pusher.client.channel.User;
import com.pusher.client.connection.ConnectionEventListener;
import com.pusher.client.connection.ConnectionState;
import com.pusher.client.connection.ConnectionStateChange;
import com.pusher.rest.data.Event;
import com.pusher.rest.data.PresenceUser;
import com.pusher.rest.data.Result;
import com.pusher.rest.data.Validity;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Real parts, none of them ours: pusher-java-client as the client, pusher-http-java as the backend.
 *
 * <p>Arguments: PORT KEY SECRET. Ends with 0 if all is as with Pusher.
 */
public class Clients {
    private static final String GREETING =
        "{\"channel\":\"#server-to-user-ann\",\"name\":\"hello\",\"data\":\"you\"}";

    private static String port;
    private static String key;
    private static String secret;

    public static void main(String[] arguments) throws Exception {
        port = arguments[0];
        key = arguments[1];
        secret = arguments[2];
        try {
            backend();
            clients();
        } catch (Throwable error) {
            error.printStackTrace();
            System.exit(1);
        }
        System.out.println("ok");
        System.exit(0);
    }

    private static com.pusher.rest.Pusher backend(String app, String secret) {
        com.pusher.rest.Pusher backend = new com.pusher.rest.Pusher(app, key, secret);
        backend.setHost("127.0.0.1:" + port);
        backend.setEncrypted(false);
        return backend;
    }

    private static void backend() throws Exception {
        com.pusher.rest.Pusher backend = backend("1", secret);
        List<String> two = Arrays.asList("a", "private-b");
        is(200, backend.trigger("orders.42", "paid", Collections.singletonMap("name", "Zoë")));
        is(200, backend.trigger(two, "paid", "plain"));
        is(200, backend.trigger("a", "paid", "plain", "123.456"));
        is(200, backend.trigger(two, "paid", "plain", "123.456"));
        is(200, backend.trigger(Arrays.asList(new Event("a", "n", 1), new Event("b", "n", "x", "123.456"))));
        List<String> many = new ArrayList<>();
        for (int number = 0; number < 100; number++) {
            many.add("c" + number);
        }
        is(200, backend.trigger(many, "paid", "plain"));
        Result channels = is(200, backend.get("/channels", Collections.singletonMap("filter_by_prefix", "nothing-")));
        equal("{\"channels\":{}}", channels.getMessage());
        is(200, backend.get("/channels/nobody"));
        is(200, backend.get("/channels/presence-nobody/users"));
        is(200, backend.post("/users/nobody/terminate_connections", "{}"));

        is(400, backend.trigger("a", "pusher:x", "plain"));
        is(400, backend.get("/channels/private-a/users"));
        is(401, backend("1", "another").trigger("a", "b", "plain"));
        is(404, backend("9", secret).trigger("a", "b", "plain"));

        String body = "{\"time_ms\":1,\"events\":[]}";
        equal(Validity.VALID, backend.validateWebhookSignature(key, hmac(body), body));
    }

    private static void clients() throws Exception {
        com.pusher.rest.Pusher backend = backend("1", secret);
        Pusher one = connect(secret);
        Pusher two = connect(secret);
        Listener orders = new Listener();
        one.subscribe("orders.42", orders, "paid");
        orders.next("subscribed orders.42");
        is(200, backend.trigger("orders.42", "paid", Collections.singletonMap("id", 42)));
        orders.next("paid {\"id\":42}");

        Listener mine = new Listener();
        Listener theirs = new Listener();
        PrivateChannel room = one.subscribePrivate("private-java.1", mine, "left-out", "client-typing", "moved");
        two.subscribePrivate("private-java.1", theirs, "left-out", "client-typing", "moved");
        mine.next("subscribed private-java.1");
        theirs.next("subscribed private-java.1");
        String own = one.getConnection().getSocketId();
        is(200, backend.trigger("private-java.1", "left-out", "plain", own));
        theirs.next("left-out \"plain\"");
        room.trigger("client-typing", "{\"who\":\"one\"}");
        theirs.next("client-typing {\"who\":\"one\"}");
        is(200, backend.trigger("private-java.1", "moved", "x"));
        mine.next("moved \"x\""); // and neither its own event nor the one that left it out

        one.signin();
        LinkedBlockingQueue<String> greetings = new LinkedBlockingQueue<>();
        one.user().bind("hello", event -> greetings.add(event.getData()));
        String greeting = null;
        for (int attempt = 0; attempt < 50 && greeting == null; attempt++) {
            is(200, backend.post("/events", GREETING)); // its trigger does not know the channels of users
            greeting = greetings.poll(200, TimeUnit.MILLISECONDS);
        }
        equal("you", greeting);
        equal("ann", one.user().userId());

        Listener here = new Listener();
        Listener there = new Listener();
        one.subscribePresence("presence-java.1", here);
        here.next("users 1");
        here.next("subscribed presence-java.1");
        Pusher three = connect(secret, "bob");
        three.subscribePresence("presence-java.1", there);
        there.nextBegins("users ");
        there.next("subscribed presence-java.1");
        here.next("added bob");
        equal("ann", one.getPresenceChannel("presence-java.1").getMe().getId());
        equal(2, one.getPresenceChannel("presence-java.1").getUsers().size());
        Result users = is(200, backend.get("/channels/presence-java.1/users"));
        equal("{\"users\":[{\"id\":\"ann\"},{\"id\":\"bob\"}]}", users.getMessage());
        three.unsubscribe("presence-java.1");
        here.next("removed bob");

        Listener liar = new Listener();
        connect("another").subscribePrivate("private-java.1", liar, "pusher:subscription_error");
        liar.nextBegins("pusher:subscription_error {\"type\":\"AuthError\"");
        one.unsubscribe("orders.42");
        one.disconnect();
        two.disconnect();
    }

    private static Pusher connect(String signing) throws Exception {
        return connect(signing, "ann");
    }

    private static Pusher connect(String signing, String member) throws Exception {
        PusherOptions options = new PusherOptions()
            .setHost("127.0.0.1")
            .setWsPort(Integer.parseInt(port))
            .setUseTLS(false)
            .setChannelAuthorizer((channel, socket) -> channel.startsWith("presence-")
                ? backend("1", signing).authenticate(socket, channel, new PresenceUser(member))
                : backend("1", signing).authenticate(socket, channel))
            .setUserAuthenticator(socket -> {
                String user = "{\"id\":\"ann\"}";
                String auth = key + ":" + hmac(socket + "::user::" + user);
                return "{\"auth\":\"" + auth + "\",\"user_data\":\"{\\\"id\\\":\\\"ann\\\"}\"}";
            });
        Pusher client = new Pusher(key, options);
        LinkedBlockingQueue<String> states = new LinkedBlockingQueue<>();
        client.connect(new ConnectionEventListener() {
            @Override
            public void onConnectionStateChange(ConnectionStateChange change) {
                states.add("connected");
            }

            @Override
            public void onError(String message, String code, Exception error) {
                states.add("error " + code + " " + message);
            }
        }, ConnectionState.CONNECTED);
        equal("connected", states.poll(20, TimeUnit.SECONDS));
        return client;
    }

    /**
     * What a channel tells, in order. A client that subscribes while it connects asks twice, now and then: what follows
     * from the second answer is left out.
     */
    private static class Listener implements PresenceChannelEventListener, PrivateEncryptedChannelEventListener {
        private final LinkedBlockingQueue<String> told = new LinkedBlockingQueue<>();
        private final Set<String> answers = ConcurrentHashMap.newKeySet();

        private void answered(String kind, String text) {
            if (answers.add(kind)) {
                told.add(text);
            }
        }

        void next(String wanted) throws InterruptedException {
            equal(wanted, told.poll(20, TimeUnit.SECONDS));
        }

        void nextBegins(String wanted) throws InterruptedException {
            String next = told.poll(20, TimeUnit.SECONDS);
            equal(true, next != null && next.startsWith(wanted));
        }

        @Override
        public void onSubscriptionSucceeded(String channel) {
            answered("subscribed", "subscribed " + channel);
        }

        @Override
        public void onEvent(PusherEvent event) {
            told.add(event.getEventName() + " " + event.getData());
        }

        @Override
        public void onAuthenticationFailure(String message, Exception error) {
            told.add("refused");
        }

        @Override
        public void onDecryptionFailure(String event, String reason) {
            told.add("not decrypted " + event);
        }

        @Override
        public void onUsersInformationReceived(String channel, Set<User> users) {
            answered("users", "users " + users.size());
        }

        @Override
        public void userSubscribed(String channel, User user) {
            told.add("added " + user.getId());
        }

        @Override
        public void userUnsubscribed(String channel, User user) {
            told.add("removed " + user.getId());
        }

        @Override
        public void onError(String message, Exception error) {
            told.add("refused");
        }
    }

    private static Result is(int status, Result result) {
        equal(status, result.getHttpStatus());
        return result;
    }

    private static void equal(Object wanted, Object got) {
        if (!wanted.equals(got)) {
            throw new AssertionError("want " + wanted + ", got " + got);
        }
    }

    private static String hmac(String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            return HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
        } catch (java.security.GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }
}
