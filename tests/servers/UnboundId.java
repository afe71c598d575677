import com.unboundid.ldap.listener.InMemoryDirectoryServer;
import com.unboundid.ldap.listener.InMemoryDirectoryServerConfig;
import com.unboundid.ldap.listener.InMemoryListenerConfig;
import java.net.InetAddress;

/** UnboundID's in-memory server with dc=example,dc=test: UnboundId PORT LIMIT, where a search gives so many entries at most
 * (0: as many as there are). */
class UnboundId {
    public static void main(String[] arguments) throws Exception {
        var config = new InMemoryDirectoryServerConfig("dc=example,dc=test");
        config.addAdditionalBindCredentials("cn=Directory Manager", "secretsecret");
        config.setMaxChangeLogEntries(1000);
        config.setMaxSizeLimit(Integer.parseInt(arguments[1]));
        var loopback = InetAddress.getByName("127.0.0.1");
        config.setListenerConfigs(new InMemoryListenerConfig("ldap", loopback, Integer.parseInt(arguments[0]), null, null, null));
        new InMemoryDirectoryServer(config).startListening();
        Thread.currentThread().join();
    }
}
