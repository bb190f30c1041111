// SPDX-License-Identifier: Apache-2.0
// java Service.java REDIS-PORT LIBRARY: what server.c is, with a pool of threads.
import java.io.*;
import java.net.*;
import java.util.concurrent.*;

public class Service {
    static native void publish(long traceHigh, long trace, long span, int valid);

    static final byte[] GET = "*2\r\n$3\r\nGET\r\n$3\r\none\r\n".getBytes();
    static final byte[] OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes();

    static void answer(String path, Socket redis, OutputStream out) throws IOException {
        boolean isNone = path.startsWith("/none/");
        long number = Long.parseLong(path.substring(path.lastIndexOf('/') + 1));

        if (!isNone)
            publish(0, number + 1, 2 * number + 3, 1);
        redis.getOutputStream().write(GET);
        redis.getInputStream().read(new byte[256]);
        if (!isNone)
            publish(0, number + 1, 2 * number + 2, 1);
        out.write(OK);
        publish(0, 0, 0, 0);
    }

    static void serve(Socket socket, int redisPort) {
        try (socket; Socket redis = new Socket("127.0.0.1", redisPort)) {
            BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
            for (String line; (line = in.readLine()) != null; ) {
                String path = line.split(" ")[1];
                while (!in.readLine().isEmpty()) { }
                answer(path, redis, socket.getOutputStream());
            }
        } catch (IOException error) {
            error.printStackTrace();
        }
    }

    public static void main(String[] arguments) throws IOException {
        int redisPort = Integer.parseInt(arguments[0]);
        ExecutorService pool = Executors.newFixedThreadPool(8);
        System.load(arguments[1]);
        try (ServerSocket listener = new ServerSocket(0, 64, InetAddress.getByName("127.0.0.1"))) {
            System.out.println("ready " + listener.getLocalPort());
            while (true) {
                Socket socket = listener.accept();
                socket.setTcpNoDelay(true);
                pool.submit(() -> serve(socket, redisPort));
            }
        }
    }
}
